// A file descriptor that is closed when its owner goes. Every descriptor in emud is close-on-exec
// from birth; the ones a child must keep are named when it is started (sandbox/process).
#pragma once

#include <utility>

#include "base/result.h"

namespace emud {

class [[nodiscard]] UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

  // A second descriptor of the same open file (fcntl(2) F_DUPFD_CLOEXEC).
  [[nodiscard]] Result<UniqueFd> duplicate() const;

 private:
  int fd_ = -1;
};

struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};

// A connected pair of AF_UNIX stream sockets, close-on-exec (socketpair(2)).
[[nodiscard]] Result<SocketPair> make_socket_pair();

// A pipe: first is the reading end, second the writing end, close-on-exec (pipe2(2)).
[[nodiscard]] Result<SocketPair> make_pipe();

}  // namespace emud
