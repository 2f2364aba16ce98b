#include "daemon/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/lease.h"
#include "daemon/peer.h"
#include "daemon/services.h"
#include "daemon/session.h"
#include "wire/errors.h"

namespace emud {
namespace {

Result<> check_passed(const std::vector<UniqueFd>& passed) {
  const int fd = passed.front().get();
  if (passed.size() != 1 || ::sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) <= 0) {
    return fail(Errc::invalid_argument, "take over", "the socket passed by systemd",
                "it must be one listening AF_UNIX stream socket", "Look at emud.socket");
  }
  // Several may wait for the same connection; accept(2) must not block the one that comes too late.
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return {};
}

UniqueFd open_spare() {
  return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

}  // namespace

Server::Server(Services& services, UniqueFd listener)
    : services_(services), listener_(std::move(listener)), spare_(open_spare()) {}

// Tells a client in one message why it is not served, as far as its socket takes it now.
void Server::refuse(UniqueFd socket, uid_t payer, const Error& error) {
  Channel channel{std::move(socket)};
  if (channel.put(Frame{wire::encode(wire::error_reply(wire::manager_interface, error))})) {
    [[maybe_unused]] const auto sent = channel.flush();
  }
  services_.intake.close(channel.take_socket(), payer);
}

namespace {

// Whether somebody listens there whose process lives. One who was just killed may have left the
// socket to a child, which has yet to close it. unix(7), SO_PEERCRED: of who called listen(2); no
// pid for one outside of this PID namespace.
bool is_served(const sockaddr* name, socklen_t size) {
  const UniqueFd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(client.get(), name, size) != 0) return false;
  ucred listener{};
  socklen_t length = sizeof listener;
  const bool is_known =
      ::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &listener, &length) == 0 &&
      listener.pid > 0;
  // One that cannot be looked at may live.
  return !is_known || process_start_time(listener.pid).value_or(1) != 0;
}

}  // namespace

Result<Listener> make_listener(const Options& options, std::vector<UniqueFd> passed) {
  if (!passed.empty()) {
    EMUD_TRY(check_passed(passed));
    return Listener{std::move(passed.front()), true};
  }
  const std::string& path = options.paths.socket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::limit_exceeded, "listen on", path, "a socket's path has at most 107 bytes",
                "Give a shorter --socket");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!listener) return fail_errno("create", "a socket");
  if (::bind(listener.get(), name, sizeof address) != 0) {
    if (errno != EADDRINUSE)
      return fail_errno("listen on", path, "Its directory must exist and be writable");
    if (is_served(name, sizeof address)) {
      return fail(Errc::exists, "listen on", path, "another emud listens there",
                  "Stop it, or give another --socket");
    }
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
      return fail(Errc::exists, "listen on", path, "there is a file that is no socket",
                  "Give another --socket");
    }
    if (::unlink(path.c_str()) != 0 || ::bind(listener.get(), name, sizeof address) != 0)
      return fail_errno("listen on", path);
  }
  if (::chmod(path.c_str(), 0666) != 0 || ::listen(listener.get(), SOMAXCONN) != 0)
    return fail_errno("listen on", path);
  return Listener{std::move(listener), false};
}

Task<void> Server::run() {
  FdWaiter waiter{services_.executor, listener_.get()};
  for (;;) {
    co_await waiter.readable();
    accept_one();
  }
}

void Server::accept_one() {
  UniqueFd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!socket && (errno == EMFILE || errno == ENFILE)) {
    // The waiting connection would wake us for ever: take it with the descriptor kept for this, and
    // hang up.
    spare_.reset();
    socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    refuse(std::move(socket), 0,
           fail(Errc::limit_exceeded, "accept", "a connection", "emud has no descriptor left",
                "Raise LimitNOFILE of emud.service")
               .error());
    spare_ = open_spare();
    return;
  }
  if (!socket) {
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
      log(fail_errno("accept", "a connection").error());
    return;
  }
  // Else a byte sent with MSG_OOB is dropped by the next recvmsg(2), which then closes the
  // descriptors that came with it (manage_oob, net/unix/af_unix.c).
  const int one = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
  auto peer = read_peer(socket.get());
  if (!peer) return refuse(std::move(socket), 0, peer.error());
  const uid_t uid = peer->payer;
  if (auto allowed = services_.intake.may_connect(uid); !allowed) {
    audit_connection(*peer, allowed.error());
    return refuse(std::move(socket), uid, allowed.error());
  }
  const auto limit = [&](std::size_t count, std::size_t most, std::string_view key) {
    if (count < most) return false;
    const Error error =
        fail(Errc::limit_exceeded, "accept", "a connection", fmt::format("{} are open", count),
             fmt::format("Close some, or raise {} in the configuration of emud", key))
            .error();
    audit_connection(*peer, error);
    refuse(std::move(socket), uid, error);
    return true;
  };
  // A user's first connection is always accepted: the others cannot keep him out.
  if (by_user_.contains(uid) &&
      limit(connections_, services_.options.max_connections, "max-connections"))
    return;
  if (limit(by_user_[uid], services_.options.max_connections_per_user, "max-connections-per-user"))
    return;
  ++connections_;
  ++by_user_[uid];
  asio::co_spawn(services_.executor,
                 serve_connection(services_, std::move(socket), *std::move(peer)),
                 [this, uid](const std::exception_ptr& error) {
                   --connections_;
                   if (--by_user_[uid] == 0) by_user_.erase(uid);
                   services_.activity.changed();
                   if (error) log(Level::error, "a connection ended with an unexpected exception");
                 });
}

}  // namespace emud
