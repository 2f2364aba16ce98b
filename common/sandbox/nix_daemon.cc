#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/paths.h"
#include "base/retry.h"
#include "sandbox/command.h"
#include "sandbox/nix.h"
#include "sandbox/nix_builds.h"

namespace emud {
namespace {

constexpr int listen_fd = 3;  // SD_LISTEN_FDS_START

// The daemon is run as root, so only places that belong to root are looked at, never the caller's
// PATH.
Result<std::string> find_nix_daemon() {
  for (const char* file :
       {"/run/current-system/sw/bin/nix-daemon", "/nix/var/nix/profiles/default/bin/nix-daemon",
        "/usr/local/bin/nix-daemon", "/usr/bin/nix-daemon"}) {
    if (::access(file, X_OK) == 0) return std::string{file};
  }
  return fail(
      Errc::not_found, "find", "nix-daemon", "Nix is not installed for the whole machine",
      "Install Nix (`apt install nix-bin` or the installer's multi-user mode), or use --rootless");
}

// A word of nix.conf(5), which has no quotes: white space ends it, `#` begins a comment. In a list
// of users `@` in front means a group and `*` everybody.
Result<> require_plain_word(const std::string& user) {
  const bool is_plain = std::ranges::none_of(user, [](unsigned char byte) {
    return byte <= ' ' || byte == 0x7f || byte == '#' || byte == '*';
  });
  if (is_plain && !user.empty() && !user.starts_with('@')) return {};
  return fail(
      Errc::not_supported, "write into the nix.conf of the lease",
      fmt::format("the user name {:?}", user),
      "nix.conf cannot hold it: white space, `#`, `*` and a leading `@` mean something else",
      "Use --rootless, or have the user renamed (usermod -l)");
}

}  // namespace

Result<NixDaemonSocket> prepare_nix_daemon(const NixDaemonPlan& plan) {
  EMUD_TRY(require_plain_word(plan.owner));
  if (::mkdir(plan.temporary.c_str(), 0755) != 0) {
    return fail_errno("create", plan.temporary,
                      "The nix-daemon of the lease needs it for its builders' directories");
  }
  EMUD_ASSIGN(const UniqueFd directory, open_at(AT_FDCWD, plan.directory, O_RDONLY | O_DIRECTORY));
  std::string configuration = fmt::format(
      "# Made by emud for one lease; the machine's own settings come first.\n"
      "!include {}\n"
      "extra-extra-platforms = {}\n"
      "allowed-users = {}\n",
      system_nix_conf, plan.systems, plan.owner);
  const auto program = find_nix_daemon();  // one that is missing is an error when it is started
  if (program && !plan.builds.empty()) {
    EMUD_ASSIGN(const bool has_builds, make_nix_builds(plan.builds, *program));
    if (has_builds) configuration += fmt::format("build-dir = {}\n", plan.builds);
  }
  EMUD_TRY(
      replace_file(directory.get(), "nix.conf", configuration, 0644, Durability::until_reboot));

  NixDaemonSocket result;
  result.path = plan.directory + "/nix.socket";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (result.path.size() >= sizeof address.sun_path) {
    return fail(Errc::limit_exceeded, "bind", result.path, "a socket's path has at most 107 bytes",
                "Give emud a shorter --runtime-dir");
  }
  std::memcpy(address.sun_path, result.path.c_str(), result.path.size());
  result.listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!result.listener) return fail_errno("create", "a socket for the nix-daemon of the lease");
  if (::bind(result.listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||
      ::chmod(result.path.c_str(), 0666) != 0 ||  // who may use it is decided by allowed-users
      ::listen(result.listener.get(), SOMAXCONN) != 0) {
    return fail_errno("listen on", result.path);
  }
  return result;
}

Result<Child> start_nix_daemon(const NixDaemonPlan& plan, NixDaemonSocket socket, int cgroup) {
  EMUD_ASSIGN(const std::string program, find_nix_daemon());
  EMUD_ASSIGN(Child child, clone_child({.flags = 0, .cgroup = cgroup}));
  if (child) return child;

  ::setsid();
  std::vector<CommandFd> fds;
  const int null = uninterrupted([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); });
  fds.push_back({0, UniqueFd{null}});
  if (auto copy = UniqueFd{::fcntl(null, F_DUPFD_CLOEXEC, 3)}) fds.push_back({1, std::move(copy)});
  // Its complaints go where emud's go.
  fds.push_back({2, UniqueFd{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)}});
  fds.push_back({listen_fd, std::move(socket.listener)});
  if (!install_fds(fds)) ::_exit(125);
  const std::vector<std::string> environment{
      "PATH=/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/sbin:/usr/"
      "local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/root",
      "USER=root",
      fmt::format("NIX_CONF_DIR={}", plan.directory),
      "NIX_USER_CONF_FILES=",  // only nix.conf of the lease counts
      fmt::format("TMPDIR={}", plan.temporary),
      "NIX_REMOTE=local",  // Nix 2.26 would connect to a daemon, itself, otherwise
      "LISTEN_FDS=1",
      fmt::format("LISTEN_PID={}", ::getpid()),
  };
  [[maybe_unused]] const Error error = execute({program}, environment);
  ::_exit(125);
}

}  // namespace emud
