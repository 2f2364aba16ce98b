#include "ctl/doctor/finding.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace emud::ctl {
namespace {

constexpr auto kinds = std::to_array<FindingKind>({
    {"kernel-old", "warning; error where you may not use the host scope",
     "Private leases need Linux 6.7. On older kernels emud uses the host scope, which is for root "
     "and the group emud"},
    {"binfmt-missing", "error",
     "The kernel has no binfmt_misc, which is what hands foreign programs to an emulator"},
    {"userns-missing", "note; warning or error where leases depend on it",
     "The kernel has no user namespaces: private leases are not possible"},
    {"userns-disabled", "note; warning or error where leases depend on it",
     "The number of user namespaces is limited to none: private leases are not possible"},
    {"userns-restricted", "note; warning or error where leases depend on it",
     "Only root may make user namespaces here. emud can give you a private lease, --rootless "
     "cannot"},
    {"userns-apparmor", "note; warning or error where leases depend on it",
     "AppArmor refuses user namespaces to programs without a profile that allows them. emud can "
     "give you a private lease, --rootless cannot"},
    {"userns-refused", "note; warning or error where leases depend on it",
     "The kernel or what confines this process refuses a user namespace with a binfmt_misc of its "
     "own"},
    {"userns-seccomp", "note; warning or error where leases depend on it",
     "A seccomp filter, such as a container's or a service's, refuses user namespaces to this "
     "process, and emud could not put that filter on your command"},
    {"binfmt-not-mounted", "note",
     "binfmt_misc is not mounted. emud mounts it when it needs it; other programs may not"},
    {"binfmt-autofs-dead", "warning or note; error where leases depend on it",
     "systemd's automount of binfmt_misc does not mount it: handlers of the host cannot be "
     "reached"},
    {"binfmt-read-only", "warning or note; error where leases depend on it",
     "No handler can be registered on this host. Private leases have a binfmt_misc of their own"},
    {"binfmt-switched-off", "warning or note; error where leases depend on it",
     "All handlers of the host are switched off. Private leases have a binfmt_misc of their own"},
    {"seccomp-filter", "warning",
     "A seccomp filter confines this process. emud could not put it on your command, so it refuses "
     "to run it; --rootless does"},
    {"socket-missing", "note; error where leases depend on it",
     "emud is not here. `emuctl run` goes rootless: private leases only, and a Nix store of your "
     "own"},
    {"socket-dead", "warning; error where it was named",
     "Nobody listens at emud's socket: its process died, or the socket unit is stopped. `emuctl "
     "run` goes rootless"},
    {"socket-forbidden", "error",
     "You may not connect to emud's socket. Everybody should be: emud itself decides who may do "
     "what"},
    {"socket-not-emud", "error", "What answers at the socket does not speak as emud does"},
    {"version-differs", "warning",
     "emud and emuctl are of different versions: one of them was upgraded and the other not "
     "started again"},
    {"group-missing", "note; error where leases depend on it",
     "There is no group whose members may use the host scope and the store: only root may"},
    {"group-not-member", "error; warning where --rootless works",
     "emud has no private lease for you, and the host scope is for root and that group. emud looks "
     "the members up for each request: nobody has to log in again"},
    {"catalog-broken", "error; warning where emud is here",
     "The list of emulators that may be fetched cannot be read, so nothing is fetched"},
    {"emulator-none", "note; error where none may be fetched",
     "There is no emulator: neither in a store, nor a static QEMU of this machine's own. Where "
     "that "
     "is allowed, a build fetches the one it needs"},
    {"emulator-dynamic", "warning; note where one may be fetched",
     "A QEMU of this machine is dynamically linked. It would not find its libraries in a sandbox "
     "or a chroot, so emud does not use it"},
    {"emulator-note", "note; warning where programs fail",
     "The emulator that builds get has a known problem"},
    {"store-forbidden", "error; warning where emud is here",
     "Your own store is where you may not look: HOME or XDG_DATA_HOME is somebody else's"},
    {"store-untrusted", "error; warning where emud is here and the store is your own",
     "Somebody other than root and you could change the store, so nothing in it is used"},
    {"store-broken", "warning", "An emulator in the store cannot be read, and is not used"},
    {"store-corrupt", "error; warning where emud is here and the store is your own",
     "An emulator in the store is not what was installed: its bytes changed, by a failing disk or "
     "by somebody"},
    {"handler-lost", "warning or note; error where leases depend on it",
     "Somebody removed a host handler of emud's that is needed, and it cannot be put back"},
    {"handler-no-fix-binary", "warning",
     "A handler without the F flag opens its interpreter anew for each program: it does not work "
     "in a chroot, a container or a Nix sandbox"},
    {"handler-credentials", "warning",
     "A handler with the C flag runs its interpreter with the rights of the program: a setuid "
     "program of that architecture makes the emulator root"},
    {"nix-sandbox-off", "warning",
     "Nix builds without a sandbox: builds can depend on what happens to be on the machine"},
    {"nix-trusts-everyone", "warning",
     "Every user is trusted by Nix, and a trusted user is as good as root"},
    {"nix-syscalls-unfiltered", "warning", "Nix lets builders make setuid programs"},
    {"nix-root-hole", "error",
     "Nix lets builders make setuid programs, and a handler with the C flag runs those of its "
     "architecture as root: anybody who may build becomes root"},
    {"nix-platforms", "warning",
     "The machine's nix-daemon does the builds of a host lease, and does not build for these "
     "systems"},
    {"docker", "note",
     "Docker's daemon starts containers outside of any private lease: foreign images need a "
     "handler on the host"},
    {"subuid-missing", "warning",
     "Rootless podman and buildah need a range of subordinate ids for you, and there is none"},
    {"newuidmap-missing", "warning",
     "Rootless podman and buildah need newuidmap and newgidmap, which are not installed"},
    {"memory-low", "warning",
     "Less than 8 GiB of memory and no swap: large images may not build. Emulation and compression "
     "of an image take several GiB"},
    {"disk-store-low", "warning",
     "An emulator takes about 6 MiB, and little is left for the store"},
    {"disk-temporary-low", "warning", "Builds unpack and link in the temporary directory"},
    {"cgroup-v1", "note",
     "There is no cgroup v2: emud ends what a lease has left behind process by process"},
});

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::note:
      return "note";
    case Level::warning:
      return "warning";
    case Level::error:
      break;
  }
  return "error";
}

std::span<const FindingKind> finding_kinds() {
  return kinds;
}

void Findings::add(std::string_view id, Level level, std::string what, std::string mend) {
  const auto* const kind = std::ranges::find(kinds, id, &FindingKind::id);
  if (kind == kinds.end()) throw std::logic_error{"a finding that is not in the table"};
  findings_.push_back({kind, level, std::move(what), std::move(mend)});
}

void Findings::remark(std::string what) {
  remarks_.push_back(std::move(what));
}

}  // namespace emud::ctl
