#include "sandbox/nix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/file.h"
#include "base/paths.h"
#include "sandbox/environment.h"
#include "sandbox/nix_conf.h"
#include "sandbox/nix_version.h"

namespace emud {
namespace {

constexpr const char* nix_database = "/nix/var/nix/db";
constexpr const char* nix_store = "/nix/store";

// `require-drop-supplementary-groups` came with Nix 2.17 and decides from 2.26 on; older ones warn
// of an unknown setting.
bool knows_supplementary_groups_setting() {
  return nix_version("nix").value_or(NixVersion{2, 17}) >= NixVersion{2, 17};
}

}  // namespace

bool owns_nix_store(uid_t uid) {
  struct stat info{};
  if (::stat(nix_database, &info) != 0) return uid == 0;  // root's Nix makes what is missing
  return uid == 0 || info.st_uid == uid;
}

std::vector<std::string> nix_system_names(const Architecture& architecture) {
  std::vector<std::string> names;
  if (architecture.nix_system.empty()) return names;
  names.emplace_back(architecture.nix_system);
  // An emulator runs the older systems of its architecture as well: armv6l-linux beside
  // armv7l-linux.
  for (const std::string_view alias : architecture.aliases) {
    if (alias.ends_with("-linux") && alias != architecture.nix_system) names.emplace_back(alias);
  }
  return names;
}

std::string nix_systems(const std::vector<const Architecture*>& architectures) {
  std::vector<std::string> names;
  for (const Architecture* architecture : architectures) {
    for (auto& name : nix_system_names(*architecture)) names.push_back(std::move(name));
  }
  return fmt::format("{}", fmt::join(names, " "));
}

bool uses_machine_store(const std::vector<std::string>& environment) {
  const std::string remote = variable(environment, "NIX_REMOTE");
  const std::string_view way = std::string_view{remote}.substr(0, remote.find('?'));
  return remote.empty() || remote == "local" || way == "auto" || way == "daemon" ||
         way.starts_with("unix://");
}

void set_nix_environment(std::vector<std::string>& environment, NixSetup setup,
                         const std::string& systems, const std::string& store) {
  if (uses_machine_store(environment)) {
    if (setup == NixSetup::caller_store) set_variable(environment, "NIX_REMOTE", "local");
    if (setup == NixSetup::own_store) set_variable(environment, "NIX_REMOTE", store);
  }
  std::string config = variable(environment, "NIX_CONFIG");
  if (!config.empty() && !config.ends_with('\n')) config += '\n';
  // `extra-platforms` is the setting's own name; extra- in front appends to it and keeps what
  // nix.conf and Nix's default (i686-linux on x86_64) have: nix.conf(5).
  config += fmt::format("extra-extra-platforms = {}\n", systems);
  if (setup == NixSetup::own_store) {
    // Only the caller's uid exists in the lease: no build users, and no right to change groups.
    config += "build-users-group =\n";
    if (knows_supplementary_groups_setting())
      config += "require-drop-supplementary-groups = false\n";
  }
  set_variable(environment, "NIX_CONFIG", config);
}

std::string nix_temporary(const std::vector<std::string>& environment, std::string_view name) {
  std::string folder = variable(environment, "TMPDIR");
  if (folder.empty()) folder = "/tmp";
  return folder.starts_with('/') ? fmt::format("{}/{}", folder, name) : std::string{};
}

void set_nix_remote(std::vector<std::string>& environment, const NixDaemonPlan& plan) {
  set_variable(environment, "NIX_REMOTE", fmt::format("unix://{}/nix.socket", plan.directory));
}

std::vector<std::string> missing_nix_settings(
    const std::vector<const Architecture*>& architectures) {
  const auto settings = read_nix_settings(
      std::string{system_nix_conf}, [](const std::string& file) -> std::optional<std::string> {
        auto text = read_file(file);
        return text ? std::optional{*std::move(text)} : std::nullopt;
      });
  const auto found = settings.find("extra-platforms");
  const auto has = [&](const std::string& system) {
    return found != settings.end() &&
           std::ranges::find(found->second, system) != found->second.end();
  };
  std::vector<std::string> missing;
  for (const Architecture* architecture : architectures) {
    const std::string system{architecture->nix_system};
    if (!system.empty() && !has(system)) missing.push_back(system);
  }
  if (missing.empty()) return {};
  return {fmt::format("extra-extra-platforms = {}", fmt::join(missing, " "))};
}

bool is_nix_store_read_only() {
  struct statvfs info{};
  return ::statvfs(nix_store, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

Result<> make_nix_store_writable() {
  // A later, less privileged mount namespace could not lift the flag: mount_namespaces(7), "locked"
  // flags. The others (nosuid, nodev) stay, as they would not with a remount: mount_setattr(2).
  mount_attr change{};
  change.attr_clr = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, nix_store, 0, &change, sizeof change) != 0) {
    return fail_errno("make writable for the lease", nix_store,
                      "It must be a mount of its own, as NixOS has it, or be writable");
  }
  if (is_nix_store_read_only()) {
    return fail_errno(EROFS, "make writable for the lease", nix_store,
                      "The file system below it is read-only: builds need a writable /nix/store");
  }
  return {};
}

}  // namespace emud
