#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace emud {

void UniqueFd::reset(int fd) {
  // close(2): on Linux the descriptor is gone whatever close returns, so there is nothing to retry.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<UniqueFd> UniqueFd::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return fail_errno("duplicate", "a file descriptor");
  return UniqueFd{copy};
}

Result<SocketPair> make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return fail_errno("create", "a socket pair");
  }
  return SocketPair{UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

Result<SocketPair> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno("create", "a pipe");
  return SocketPair{UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

}  // namespace emud
