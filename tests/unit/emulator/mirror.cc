#include "unit/emulator/mirror.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "support/catch.h"

namespace emud::test {
namespace {

// A request's text up to the empty line.
std::string read_request(int fd) {
  std::string text;
  char buffer[1024];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

MirrorRequest parse(const std::string& text) {
  MirrorRequest request;
  const std::size_t begin = text.find(' ') + 1;
  request.path = text.substr(begin, text.find(' ', begin) - begin);
  constexpr std::string_view range = "\r\nRange: bytes=";
  if (const std::size_t at = text.find(range); at != std::string::npos) {
    request.range_start = std::stoul(text.substr(at + range.size()));
  }
  return request;
}

}  // namespace

bool MirrorConnection::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void MirrorConnection::wait() const {
  pollfd polled{fd_, POLLIN | POLLRDHUP, 0};
  (void)::poll(&polled, 1, 60'000);
}

Mirror::Mirror(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener_.get(), 16) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread{[this] { serve(); }};
}

Mirror::~Mirror() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // accept(2) returns
  thread_.join();
}

std::string Mirror::url(std::string_view path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<MirrorRequest> Mirror::requests() {
  const std::scoped_lock lock{mutex_};
  return requests_;
}

void Mirror::serve() {
  for (;;) {
    const UniqueFd connection{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!connection) return;
    const MirrorRequest request = parse(read_request(connection.get()));
    {
      const std::scoped_lock lock{mutex_};
      requests_.push_back(request);
    }
    handler_(request, MirrorConnection{connection.get()});
    ::shutdown(connection.get(), SHUT_WR);
  }
}

std::string head(std::string_view status, const std::vector<std::string>& lines) {
  std::string text = fmt::format("HTTP/1.1 {}\r\nConnection: close\r\n", status);
  for (const std::string& line : lines) text += line + "\r\n";
  return text + "\r\n";
}

std::string whole(std::string_view bytes, std::optional<std::size_t> start) {
  const std::size_t from = start.value_or(0);
  std::vector<std::string> lines{fmt::format("Content-Length: {}", bytes.size() - from)};
  if (start) {
    lines.push_back(
        fmt::format("Content-Range: bytes {}-{}/{}", from, bytes.size() - 1, bytes.size()));
  }
  return head(start ? "206 Partial Content" : "200 OK", lines) + std::string{bytes.substr(from)};
}

}  // namespace emud::test
