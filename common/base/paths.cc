#include "base/paths.h"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

namespace emud {
namespace {

// An environment variable that holds an absolute path, else empty.
std::string absolute_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? std::string{value} : std::string{};
}

// The folder above the one that the running program is in: /usr, or a build directory.
const Result<std::string>& program_prefix() {
  static const auto prefix = []() -> Result<std::string> {
    char program[PATH_MAX];
    const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program);
    if (length < 0) return fail_errno("read", "/proc/self/exe");
    std::string_view path{program, static_cast<std::size_t>(length)};
    path = path.substr(0, path.rfind('/'));  // without the program
    path = path.substr(0, path.rfind('/'));  // without bin
    return std::string{path};
  }();
  return prefix;
}

}  // namespace

Paths Paths::system() {
  return Paths{.state = "/var/lib/emud",
               .runtime = "/run/emud",
               .socket = "/run/emud/io.emud.Manager",
               .system_store = {}};
}

Result<Paths> Paths::user() {
  const std::string home = absolute_variable("HOME");
  std::string data = absolute_variable("XDG_DATA_HOME");
  std::string runtime = absolute_variable("XDG_RUNTIME_DIR");
  std::string cache = absolute_variable("XDG_CACHE_HOME");
  if (home.empty() && (data.empty() || (runtime.empty() && cache.empty()))) {
    return fail(Errc::not_found, "find", "your home directory",
                "HOME is not set to an absolute path",
                "Set HOME, or XDG_DATA_HOME and XDG_RUNTIME_DIR");
  }
  if (data.empty()) data = home + "/.local/share";
  if (cache.empty()) cache = home + "/.cache";
  const Paths system = Paths::system();
  return Paths{.state = data + "/emud",
               .runtime = runtime.empty() ? cache + "/emud/run" : runtime + "/emud",
               .socket = system.socket,
               .system_store = system.store()};
}

std::string Paths::lease(std::string_view id) const {
  return fmt::format("{}/{}", leases(), id);
}

std::string data_file(std::string_view name) {
  if (const std::string folder = absolute_variable("EMUD_DATA"); !folder.empty()) {
    return fmt::format("{}/{}", folder, name);
  }
  const auto& prefix = program_prefix();
  return fmt::format("{}/share/emud/{}", prefix.value_or("/usr"), name);
}

std::string catalog_additions() {
  const std::string folder = absolute_variable("EMUD_CATALOG_DIR");
  return folder.empty() ? "/etc/emud/catalog.d" : folder;
}

Result<std::string> helper_program(std::string_view name) {
  if (const std::string folder = absolute_variable("EMUD_LIBEXEC"); !folder.empty()) {
    return fmt::format("{}/{}", folder, name);
  }
  const auto& prefix = program_prefix();
  if (!prefix) return std::unexpected(prefix.error());
  return fmt::format("{}/libexec/emud/{}", *prefix, name);
}

}  // namespace emud
