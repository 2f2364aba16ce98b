#include "ctl/deep/workplace.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "sandbox/temporary_sweep.h"

namespace emud::ctl {
namespace {

constexpr std::string_view prefix = "emuctl-deep-";

}  // namespace

Result<Workplace> Workplace::make() {
  const char* variable = std::getenv("TMPDIR");
  const std::string folder = variable != nullptr && *variable == '/' ? variable : "/tmp";
  sweep_temporaries(folder, prefix);
  for (;;) {
    std::string path = fmt::format("{}/{}XXXXXX", folder, prefix);
    if (::mkdtemp(path.data()) == nullptr) {
      return fail_errno("make a temporary directory", path,
                        "Set TMPDIR to a directory you may write");
    }
    auto held = hold_temporary(path);
    if (held) return Workplace{std::move(path), *std::move(held)};
    if (held.error().code != Errc::not_found) return std::unexpected(held.error());
  }
}

Workplace::Workplace(Workplace&& other) noexcept
    : path_(std::exchange(other.path_, {})), held_(std::move(other.held_)) {}

Workplace::~Workplace() {
  (void)remove();  // remove() was the chance to hear of it
}

Result<UniqueFd> Workplace::open() const {
  return open_at(AT_FDCWD, path_, O_PATH | O_DIRECTORY);
}

Result<> Workplace::remove() {
  if (path_.empty()) return {};
  const std::string path = std::exchange(path_, {});
  const auto slash = path.rfind('/');
  EMUD_ASSIGN(const UniqueFd parent,
              open_at(AT_FDCWD, path.substr(0, slash + 1), O_PATH | O_DIRECTORY));
  return remove_tree(parent.get(), path.substr(slash + 1));
}

}  // namespace emud::ctl
