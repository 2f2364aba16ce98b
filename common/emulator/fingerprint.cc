#include "emulator/fingerprint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file.h"
#include "emulator/acquire.h"
#include "emulator/memory.h"

namespace emud {
namespace {

std::string state_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return "-";
  return state_text(info);
}

}  // namespace

std::string catalog_state(const Paths& paths) {
  const std::string& folder = paths.catalog_directory;
  std::string state = fmt::format("{} {}", state_of(paths.catalog), state_of(folder));
  // A change of a file's content does not touch its folder.
  if (const auto names = list_directory(AT_FDCWD, folder)) {
    for (const std::string& name : *names)
      state += ' ' + state_of(fmt::format("{}/{}", folder, name));
  }
  return state;
}

std::string installed_state(const Paths& paths, const Architecture& architecture) {
  std::string state = state_of(paths.store());
  if (!paths.system_store.empty()) state += ' ' + state_of(paths.system_store);
  for (const auto& file : machine_emulators(architecture)) state += ' ' + state_of(file);
  return state;
}

}  // namespace emud
