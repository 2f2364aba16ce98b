#include "sandbox/keeper_setup.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "sandbox/namespaces.h"
#include "sandbox/probe.h"
#include "wire/errors.h"
#include "wire/messages.h"

namespace emud {
namespace {

Result<> enter_working_directory(const KeeperPlan& plan) {
  if (!plan.working_directory) return {};
  // Before a mount namespace is made: clone(2) moves the working directory of its maker to the
  // copied mount (fs/namespace.c, copy_mnt_ns), so that getcwd(3) and `..` work even where no path
  // leads there any more.
  if (::fchdir(plan.working_directory.get()) != 0) {
    return fail_errno("enter", "the working directory",
                      "It must be a directory that you may search");
  }
  return {};
}

Result<> mount_own_proc() {
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fail_errno("mount", "/proc",
                      "A container that hides parts of /proc forbids a PID namespace of one's own");
  }
  return {};
}

// Whether the user namespace comes with the clone and its parent maps it, which saves the keeper
// the way there and back for the maps. Not where it has to do something as root of the initial one
// before.
bool begins_in_mapped_namespace(const KeeperPlan& plan) {
  if (plan.mode == KeeperMode::private_identity_with_pid) return true;
  return plan.mode == KeeperMode::private_identity && !plan.nix_daemon && !plan.builds_in_nix_store;
}

std::uint64_t clone_flags(const KeeperPlan& plan) {
  switch (plan.mode) {
    case KeeperMode::host:
      return 0;
    case KeeperMode::private_identity:
      return begins_in_mapped_namespace(plan) ? CLONE_NEWUSER : 0;
    case KeeperMode::private_identity_with_pid:
    case KeeperMode::private_rootless:
      return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
    case KeeperMode::private_rootless_without_pid:
      return CLONE_NEWUSER | CLONE_NEWNS;
  }
  return 0;
}

Result<> wait_for_maps(Channel& report) {
  EMUD_TRY(report.receive());
  return {};
}

Result<> enter_identity_namespaces(const KeeperPlan& plan, Channel& report) {
  if (begins_in_mapped_namespace(plan)) {
    EMUD_TRY(wait_for_maps(report));
    EMUD_TRY(enter_working_directory(plan));
    return unshare_namespaces(CLONE_NEWNS, "a mount namespace");
  }
  EMUD_TRY(enter_working_directory(plan));
  if (plan.builds_in_nix_store && is_nix_store_read_only()) {
    EMUD_TRY(unshare_namespaces(CLONE_NEWNS, "a mount namespace"));
    // Same owner, so it would propagate to the host: cut that first (mount_namespaces(7)).
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
      return fail_errno("isolate", "the mounts of the lease");
    }
    EMUD_TRY(make_nix_store_writable());
  }
  EMUD_TRY(unshare_namespaces(CLONE_NEWUSER, "a user namespace"));
  EMUD_TRY(report_step(report, keeper_step::namespaces, plan.lease));
  EMUD_TRY(unshare_namespaces(CLONE_NEWNS, "a mount namespace"));
  return wait_for_maps(report);
}

// The mount namespace and, where asked for, the PID namespace came with clone3(2).
Result<> enter_rootless_namespaces(const KeeperPlan& plan) {
  EMUD_TRY(map_self(0, plan.identity.uid, 0, plan.identity.gid));
  if (plan.mode == KeeperMode::private_rootless) return mount_own_proc();
  return {};
}

Result<> enter_namespaces(const KeeperPlan& plan, Channel& report) {
  if (plan.mode == KeeperMode::private_identity) return enter_identity_namespaces(plan, report);
  if (plan.mode != KeeperMode::private_identity_with_pid) return enter_rootless_namespaces(plan);
  EMUD_TRY(wait_for_maps(report));
  return mount_own_proc();
}

Result<> map_back(const Identity& identity) {
  return map_self(identity.uid, 0, identity.gid, 0);
}

}  // namespace

bool is_rootless(KeeperMode mode) {
  return mode == KeeperMode::private_rootless || mode == KeeperMode::private_rootless_without_pid;
}

StartOptions start_options(const KeeperPlan& plan) {
  StartOptions options{.cgroup = plan.cgroup ? plan.cgroup->fd() : -1};
  if (is_rootless(plan.mode)) {
    options.clone_flags = CLONE_NEWUSER;
    options.enter = map_back;
    options.own_group = false;
    options.keep_identity = true;
  }
  return options;
}

Identity identity_within(const KeeperPlan& plan) {
  if (!is_rootless(plan.mode)) return plan.identity;
  Identity mapped;  // only id 0, which is the caller, exists here, and setgroups is denied
  mapped.keep_groups = true;
  return mapped;
}

Result<Child> clone_keeper(const KeeperPlan& plan, int report) {
  const std::uint64_t flags = clone_flags(plan);
  auto keeper = clone_child({.flags = flags, .cgroup = -1});
  if (!keeper && flags != 0)
    return namespace_failure(keeper.error().errno_value, "the namespaces of the lease");
  if (keeper && *keeper && begins_in_mapped_namespace(plan)) {
    EMUD_TRY(map_identity(keeper->pid()));
    // A keeper that is gone has said why.
    constexpr std::array done{'{', '}', '\0'};
    [[maybe_unused]] const auto sent = ::send(report, done.data(), done.size(), MSG_NOSIGNAL);
  }
  return keeper;
}

Result<> report_step(Channel& report, std::string_view step, std::string_view object) {
  wire::RunReply reply;
  reply.progress = wire::Progress{std::string{step}, std::string{object}, {}, {}};
  return report.send(Frame{
      wire::encode(wire::Reply{.parameters = wire::to_json(reply), .error = {}, .continues = true}),
      {}});
}

Result<std::optional<Registry>> bring_up_private(KeeperPlan& plan, Channel& report) {
  EMUD_TRY(enter_namespaces(plan, report));
  auto mounted = Registry::mount_private();
  if (!mounted) {
    Error error = std::move(mounted).error();
    if (error.code == Errc::permission_denied && apparmor_restricts_user_namespaces()) {
      error.hint = user_namespace_hint();
    }
    return std::unexpected(std::move(error));
  }
  Registry registry = *std::move(mounted);
  for (const auto& handler : plan.handlers) {
    EMUD_TRY(registry.add(*handler.architecture, handler.emulator));
  }
  EMUD_TRY(registry.seal());
  for (const auto& handler : plan.handlers) {
    if (handler.proven) continue;
    EMUD_TRY(report_step(report, keeper_step::probing, handler.architecture->name));
    EMUD_ASSIGN(const ProbeReport found, probe(*handler.architecture, identity_within(plan)));
    EMUD_TRY(require_ready(found, *handler.architecture));
    EMUD_TRY(report_step(report, keeper_step::proven, handler.architecture->name));
  }
  return std::optional<Registry>{std::move(registry)};
}

}  // namespace emud
