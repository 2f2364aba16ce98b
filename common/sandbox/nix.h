// Nix inside a lease: whose store it is, and a nix-daemon of the lease's own where the machine's
// store belongs to root.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "base/unique_fd.h"
#include "sandbox/identity.h"
#include "sandbox/process.h"

namespace emud {

enum class NixSetup {
  caller_store,  // the caller may write the machine's store: its own Nix builds there
  named_store,   // whatever store its environment names
  own_store,     // rootless and the store is root's: a store below the user's data directory
};

// Whether an environment's NIX_REMOTE stands for the machine's store, by whatever way: not set,
// `auto`, `local`, `daemon` or `unix://...` (nix.conf(5), `store`).
[[nodiscard]] bool uses_machine_store(const std::vector<std::string>& environment);

// Whether the machine's Nix database belongs to that user (single-user Nix, or root).
[[nodiscard]] bool owns_nix_store(uid_t uid);

// The systems Nix has for an architecture, its own name for it first; empty where it has none.
[[nodiscard]] std::vector<std::string> nix_system_names(const Architecture& architecture);

// "aarch64-linux armv7l-linux": what Nix calls these architectures. Those Nix has no name for are
// left out.
[[nodiscard]] std::string nix_systems(const std::vector<const Architecture*>& architectures);

// NIX_CONFIG, which keeps the caller's own lines, and where uses_machine_store() NIX_REMOTE:
// caller_store builds without a daemon, which would be outside of the lease; own_store in the
// directory `store`. A store of another kind (ssh-ng://...) stays.
void set_nix_environment(std::vector<std::string>& environment, NixSetup setup,
                         const std::string& systems, const std::string& store);

// Where a Nix with this environment has its temporary files: the path of that name there. Empty
// where TMPDIR is not absolute.
[[nodiscard]] std::string nix_temporary(const std::vector<std::string>& environment,
                                        std::string_view name);

// The lease's nix-daemon, started inside the lease's namespaces as their root.
struct NixDaemonPlan {
  std::string directory;  // of the lease, for nix.conf and the socket; exists
  // Made here, removed with the lease: what killed builders leave goes too.
  std::string temporary;  // TMPDIR
  std::string builds;     // build-dir, where its Nix has one (nix_builds.h)
  std::string systems;    // nix_systems()
  std::string owner;      // the only user it serves: a name, or a number where there is no name
};

// Writes nix.conf (the machine's, included, plus extra-platforms and allowed-users) and binds the
// socket; neither needs the namespaces. The daemon itself is started when the command is.
// not_supported for an owner whose name nix.conf cannot hold.
struct NixDaemonSocket {
  UniqueFd listener;
  std::string path;
};
[[nodiscard]] Result<NixDaemonSocket> prepare_nix_daemon(const NixDaemonPlan& plan);

// Starts `nix-daemon` on the socket (systemd's LISTEN_FDS protocol, sd_listen_fds(3), which
// nix-daemon knows): it accepts at once, nobody has to wait for it. not_found, with a hint, where
// Nix is not installed.
[[nodiscard]] Result<Child> start_nix_daemon(const NixDaemonPlan& plan, NixDaemonSocket socket,
                                             int cgroup);

// Points the environment at the lease's daemon.
void set_nix_remote(std::vector<std::string>& environment, const NixDaemonPlan& plan);

// For the host scope, where the machine's own daemon builds: the lines that its nix.conf lacks,
// empty if none.
[[nodiscard]] std::vector<std::string> missing_nix_settings(
    const std::vector<const Architecture*>& architectures);

// In a mount namespace that still belongs to the initial user namespace: makes a read-only
// /nix/store (NixOS) writable for this namespace. Nothing to do where it is writable or absent.
[[nodiscard]] Result<> make_nix_store_writable();
[[nodiscard]] bool is_nix_store_read_only();

}  // namespace emud
