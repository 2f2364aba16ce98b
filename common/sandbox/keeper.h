// The first process of a lease that runs a command. It makes the namespaces (private), registers
// and proves the handlers in them, speaks io.emud.Keeper with the client, starts the command at the
// first Wait, reaps what is orphaned and ends everything when the command has ended or the client
// is gone (design: "keeper").
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "emulator/store.h"
#include "sandbox/cgroup.h"
#include "sandbox/command.h"
#include "sandbox/identity.h"
#include "sandbox/limits.h"
#include "sandbox/nix.h"

namespace emud {

struct KeeperHandler {
  const Architecture* architecture = nullptr;
  VerifiedEmulator emulator;
  bool proven = false;  // a proof is remembered: no probe
};

enum class KeeperMode {
  host,              // no namespaces: the handlers are somebody else's (the daemon's host leases)
  private_identity,  // user namespace with the identity map, written by the parent, which is root
  private_identity_with_pid,  // the same with a PID namespace: without emud
  private_rootless,  // two nested user namespaces and a PID namespace, of the caller's own making
  private_rootless_without_pid,  // the same without a PID namespace: a shared Nix store, or /proc
                                 // cannot be mounted
};

struct KeeperPlan {
  std::string lease;  // its id, for messages
  KeeperMode mode = KeeperMode::private_identity;
  std::vector<KeeperHandler> handlers;  // of a private lease
  std::vector<UniqueFd> in_use;         // kept open by the keeper as long as it lives
  Identity identity;
  Command command;               // no arguments: bring up only
  UniqueFd working_directory;    // of the caller; none: as it is
  std::optional<Cgroup> cgroup;  // where the command and all it starts live
  std::optional<NixDaemonPlan> nix_daemon;
  bool builds_in_nix_store = false;  // private_identity: /nix/store is made writable for the lease
  // Directories to be made for the command and removed with the lease (keeper_temporary.h); empty:
  // none.
  std::string temporary;                 // TMPDIR
  std::string builds;                    // Nix's build-dir, of a Nix that builds itself
  bool holds_temporaries = false;        // against sweep_temporaries(): without emud
  std::chrono::milliseconds grace{400};  // between SIGTERM and the end of everything when the
                                         // client is gone or the lease is cancelled
  LeaseLimits limits;     // what the cgroup does not see to: of each process; seconds: of the lease
  std::string directory;  // the lease's runtime directory, removed at the end; empty: none
  UniqueFd report;        // to the parent, until ready
  UniqueFd channel;       // to the client, io.emud.Keeper
};

// What the keeper reports to its parent while it brings the lease up: wire::Reply frames whose
// parameters are a wire::RunReply, errors as io.emud.Manager's. The steps are `namespaces`
// (private_identity, where clone_keeper() has not done it: the parent must now write the id maps
// and answer with any one frame),
// `register`, `probe` (object: the architecture), `proven` (object: the architecture) and at last
// `ready`; then the keeper closes the report channel.
namespace keeper_step {
inline constexpr std::string_view namespaces = "namespaces";
inline constexpr std::string_view registering = "register";
inline constexpr std::string_view probing = "probe";
inline constexpr std::string_view proven = "proven";
inline constexpr std::string_view ready = "ready";
}  // namespace keeper_step

// The whole life of a keeper, in a process just cloned for it. Never returns. SIGTERM cancels the
// lease (not rootless, where it is a signal of the user's terminal): the command gets it and the
// plan's grace; a command that is killed after that is io.emud.Keeper.Failed to the client. If the
// report channel ends before the lease is ready, it gives up: nobody would hear of it.
[[noreturn]] void run_keeper(KeeperPlan plan);

}  // namespace emud
