#include "ctl/fake_peer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "base/file.h"

namespace emud::ctl::test {

FakePeer::FakePeer(const std::function<void(UniqueFd)>& play) {
  auto pair = make_socket_pair().value();
  child_ = ::fork();
  if (child_ == 0) {
    pair.second.reset();
    play(std::move(pair.first));
    ::_exit(0);
  }
  socket_ = std::move(pair.second);
}

FakePeer::~FakePeer() {
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

int status_of_child(const std::function<int()>& play) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(play());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

wire::Call receive_call(Channel& channel) {
  return wire::parse_call(channel.receive().value().json).value();
}

void send_reply(Channel& channel, std::string_view parameters, bool continues,
                std::vector<UniqueFd> fds) {
  const wire::Reply reply{
      .parameters = std::string{parameters}, .error = {}, .continues = continues};
  if (!channel.send({wire::encode(reply), std::move(fds)})) ::_exit(1);
}

void say(int fd, std::string_view bytes) {
  [[maybe_unused]] const ssize_t written = ::write(fd, bytes.data(), bytes.size());
}

void send_error(Channel& channel, std::string_view error, std::string_view parameters) {
  const wire::Reply reply{
      .parameters = std::string{parameters}, .error = std::string{error}, .continues = false};
  if (!channel.send({wire::encode(reply), {}})) ::_exit(1);
}

Directory::Directory() : path_("/tmp/emud-ctl-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

Directory::~Directory() {
  (void)remove_tree(AT_FDCWD, path_);
}

UniqueFd listen_at(const std::string& path) {
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 4) != 0) {
    throw std::runtime_error("listen");
  }
  return socket;
}

}  // namespace emud::ctl::test
