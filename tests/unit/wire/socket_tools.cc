#include "wire/socket_tools.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "base/file.h"

namespace emud::test {

std::pair<Channel, Channel> channel_pair() {
  auto sockets = make_socket_pair().value();
  return {Channel{std::move(sockets.first)}, Channel{std::move(sockets.second)}};
}

std::size_t send_raw(int socket, std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const std::string_view rest = bytes.substr(sent);
    const ssize_t count = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0) break;
    sent += static_cast<std::size_t>(count);
  }
  return sent;
}

void send_raw(int socket, std::string_view bytes, std::span<const int> fds) {
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  std::vector<std::max_align_t> control(CMSG_SPACE(fds.size_bytes()) / sizeof(std::max_align_t) +
                                        1);
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("sendmsg");
  }
}

Pipe open_pipe() {
  auto ends = make_pipe().value();
  return {std::move(ends.first), std::move(ends.second)};
}

bool connects(int writer, const Pipe& pipe) {
  std::array<char, 4> read{};
  return ::write(writer, "ping", 4) == 4 && ::read(pipe.reader.get(), read.data(), 4) == 4 &&
         std::string_view{read.data(), 4} == "ping";
}

std::size_t open_descriptors() {
  return list_directory(AT_FDCWD, "/proc/self/fd").value().size();
}

}  // namespace emud::test
