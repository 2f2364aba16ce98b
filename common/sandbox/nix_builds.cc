#include "sandbox/nix_builds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "base/paths.h"
#include "sandbox/environment.h"
#include "sandbox/nix_conf.h"
#include "sandbox/nix_version.h"

namespace emud {
namespace {

constexpr const char* builds = "/nix/var/nix/builds";  // below the root of a store
constexpr NixVersion first_with_builds{2, 30};

std::optional<std::string> text_of(const std::string& file) {
  auto text = read_file(file);
  return text ? std::optional{*std::move(text)} : std::nullopt;
}

std::string folder_variable(const std::vector<std::string>& environment, std::string_view name,
                            std::string_view otherwise) {
  std::string folder = variable(environment, name);
  return folder.empty() ? std::string{otherwise} : folder;
}

void add_words(std::vector<std::string>& words, const std::string& text,
               std::string_view behind = "") {
  std::istringstream parts{text};
  for (std::string part; std::getline(parts, part, ':');)
    words.push_back(fmt::format("{}{}", part, behind));
}

// The configuration files beside the machine's: nix.conf(5).
std::vector<std::string> files_of_user(const std::vector<std::string>& environment) {
  std::vector<std::string> files;
  if (const auto folder = variable(environment, "NIX_CONF_DIR"); !folder.empty())
    files.push_back(folder + "/nix.conf");
  add_words(files, variable(environment, "NIX_USER_CONF_FILES"));
  const std::string own = variable(environment, "HOME") + "/.config";
  add_words(files, folder_variable(environment, "XDG_CONFIG_HOME", own), "/nix/nix.conf");
  add_words(files, folder_variable(environment, "XDG_CONFIG_DIRS", "/etc/xdg"), "/nix/nix.conf");
  return files;
}

}  // namespace

std::string nix_builds(const std::vector<std::string>& environment, std::string_view name) {
  const std::string remote = variable(environment, "NIX_REMOTE");
  const bool is_machine_store = remote.empty() || remote == "local" || remote == "auto";
  if (!is_machine_store && !remote.starts_with('/')) return {};
  const auto settings = read_nix_settings(std::string{system_nix_conf}, text_of);
  if (const auto set = settings.find("build-dir"); set != settings.end() && !set->second.empty())
    return fmt::format("{}/{}", fmt::join(set->second, " "), name);
  return fmt::format("{}{}/{}", is_machine_store ? "" : remote, builds, name);
}

bool sets_build_dir(const std::vector<std::string>& environment) {
  const auto sets = [](const std::string& file, const ReadText& read) {
    return read_nix_settings(file, read).contains("build-dir");
  };
  const std::string own = "NIX_CONFIG";
  const ReadText text_or_config = [&](const std::string& file) {
    return file == own ? variable(environment, own) : text_of(file);
  };
  return sets(own, text_or_config) ||
         std::ranges::any_of(files_of_user(environment),
                             [&](const std::string& file) { return sets(file, text_of); });
}

Result<bool> make_nix_builds(const std::string& path, const std::string& program) {
  constexpr mode_t mode = 0711;
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::access(folder.c_str(), F_OK) != 0) {
    if (nix_version(program).value_or(NixVersion{}) < first_with_builds) return false;
    EMUD_TRY(make_directories(folder, 0755));
  }
  if (::mkdir(path.c_str(), mode) != 0 || ::chmod(path.c_str(), mode) != 0) {
    return fail_errno("create", path, "Nix needs it for its builders' directories");
  }
  return true;
}

}  // namespace emud
