#include "ctl/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/retry.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

constexpr std::string_view not_running =
    "Start it with `systemctl start emud.socket`, or run the command without it: `emuctl run "
    "--rootless`";
constexpr std::string_view wrong_socket =
    "Look with `ss -xlp` who listens there, or name emud's own socket with --socket or EMUD_SOCKET";

Failure connect_failure(int reason, const std::string& path) {
  if (struct stat status{}; ::stat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) {
    return fail(Errc::protocol, "connect to", path, "this is no socket", wrong_socket);
  }
  switch (reason) {
    case ENOENT:
    case ENOTDIR: {
      auto failure = fail_errno(reason, "connect to", path, not_running);
      failure.error().reason = "emud is not running: there is no such socket";
      return failure;
    }
    case ECONNREFUSED: {
      auto failure = fail_errno(reason, "connect to", path, not_running);
      failure.error().reason = "emud is not running: nobody listens on its socket";
      return failure;
    }
    case EACCES:
    case EPERM:
      return fail_errno(
          reason, "connect to", path,
          "emud's socket has mode 0666; let its administrator look at the modes of the "
          "socket and its directory");
    case EAGAIN:
      return fail(Errc::timed_out, "connect to", path, "the peer does not accept connections",
                  wrong_socket);
    case EPROTOTYPE:
      return fail(Errc::protocol, "connect to", path, "this socket is of another kind than emud's",
                  wrong_socket);
    default:
      return fail_errno(reason, "connect to", path, wrong_socket);
  }
}

// connect(2) on a stream socket waits while the peer's backlog is full, at most SO_SNDTIMEO
// (socket(7)).
Result<> limit_connecting(int socket, int limit_ms) {
  const timeval limit{.tv_sec = limit_ms / 1000, .tv_usec = (limit_ms % 1000) * 1000};
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return fail_errno("set a time limit on", "a socket");
  }
  return {};
}

}  // namespace

Client::Client(UniqueFd socket, std::string path, int limit_ms)
    : channel_(std::move(socket)), path_(std::move(path)), limit_ms_(limit_ms) {
  channel_.expect_objects();
}

Result<Client> Client::connect(const std::string& path, int limit_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "connect to", path,
                fmt::format("a socket's path has at most {} bytes", sizeof address.sun_path - 1),
                "Name it by a shorter path, for example relative to the working directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) return fail_errno("create", "a socket");
  EMUD_TRY(limit_connecting(socket.get(), limit_ms));
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (uninterrupted([&] { return ::connect(socket.get(), name, sizeof address); }) != 0) {
    return connect_failure(errno, path);
  }
  return Client{std::move(socket), path, limit_ms};
}

Result<Answer> Client::call(std::string_view method, std::string parameters,
                            std::vector<UniqueFd> fds) {
  return call_more(method, std::move(parameters), std::move(fds), {});
}

Result<Answer> Client::call_more(std::string_view method, std::string parameters,
                                 std::vector<UniqueFd> fds, const ReplyHandler& on_reply) {
  const wire::Call call{.method = std::string{method},
                        .parameters = std::move(parameters),
                        .more = static_cast<bool>(on_reply),
                        .oneway = false};
  EMUD_TRY(transmit(call, std::move(fds)));
  for (;;) {
    EMUD_ASSIGN(Frame frame, receive());
    auto reply = wire::parse_reply(frame.json);
    if (!reply) return protocol_failure(reply.error());
    if (!reply->error.empty()) return std::unexpected(wire::error_of(*reply));
    if (!reply->continues) return Answer{std::move(reply->parameters), std::move(frame.fds)};
    if (!on_reply) {
      return fail(Errc::protocol, "talk to emud at", path_, "it announces replies nobody asked for",
                  wrong_socket);
    }
    EMUD_TRY(on_reply(reply->parameters));
  }
}

// A peer that takes no more bytes for limit_ms_ is given up. A peer that hangs up while it is
// written to may have said why: that is left to receive().
Result<> Client::transmit(const wire::Call& call, std::vector<UniqueFd> fds) {
  EMUD_TRY(channel_.put({wire::encode(call), std::move(fds)}));
  for (;;) {
    const auto sent = channel_.flush();
    if (!sent && sent.error().code == Errc::disconnected) return {};
    if (!sent) return std::unexpected(sent.error());
    if (*sent) return {};
    pollfd entry{channel_.fd(), POLLOUT, 0};
    const int count = ::poll(&entry, 1, limit_ms_);
    if (count < 0 && errno != EINTR) return fail_errno("send to emud at", path_);
    if (count == 0) {
      return fail(Errc::timed_out, "send to emud at", path_, "the peer does not read",
                  wrong_socket);
    }
  }
}

Result<Frame> Client::receive() {
  for (;;) {
    auto frame = channel_.receive(limit_ms_);
    if (frame) return frame;
    switch (frame.error().code) {
      case Errc::timed_out:
        break;
      case Errc::disconnected:
        return fail(
            Errc::disconnected, "talk to emud at", path_,
            "the connection was closed before the answer came",
            "Look into emud's log (`journalctl -u emud`); if emud was restarted, try again. "
            "If another program listens there, name emud's socket with --socket");
      case Errc::protocol:
      case Errc::limit_exceeded:
        return protocol_failure(frame.error());
      default:
        return frame;
    }
    if (!peer_answers()) {
      return fail(Errc::timed_out, "talk to emud at", path_, "the peer does not answer",
                  wrong_socket);
    }
  }
}

bool Client::peer_answers() const {
  auto second = connect(path_, limit_ms_);
  if (!second) return false;
  const wire::Call call{.method = "org.varlink.service.GetInfo", .parameters = "{}"};
  if (!second->transmit(call, {})) return false;
  return second->channel_.receive(limit_ms_).has_value();
}

Failure Client::protocol_failure(const Error& cause) const {
  return fail(Errc::protocol, "talk to emud at", path_,
              fmt::format("the peer does not speak its protocol ({})", cause.message()),
              wrong_socket);
}

}  // namespace emud::ctl
