#include "daemon/emulators.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "emulator/acquire.h"

namespace emud {
namespace {

std::string state_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return "-";
  return fmt::format("{}.{}.{}.{}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace

std::string Emulators::fingerprint(const Architecture& architecture) const {
  std::string state = state_of(paths_.store());
  for (const auto& file : machine_emulators(architecture)) state += ' ' + state_of(file);
  return state;
}

Task<Result<VerifiedEmulator>> Emulators::get(const Architecture& architecture,
                                              std::string version) {
  const std::string key = fmt::format("{} {}", architecture.name, version);
  const auto known = prepared_.find(key);
  if (known == prepared_.end() || known->second != fingerprint(architecture)) {
    Work work = [this, &architecture, &version]() -> Result<std::string> {
      EMUD_TRY(acquire_emulator(store_, architecture, version));
      return std::string{};
    };
    const auto done = co_await run_worker(std::move(work));
    if (!done) co_return std::unexpected(done.error());
    prepared_[key] = fingerprint(architecture);
  }
  co_return store_.find(architecture, version);  // verified a moment ago, and remembered
}

}  // namespace emud
