#include "ctl/relay.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace emud::ctl {
namespace {

// A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking (pipe(7)).
constexpr std::size_t chunk_size = 4096;

}  // namespace

void Relay::read_some() {
  std::array<char, chunk_size> chunk;
  const ssize_t count = ::read(from_, chunk.data(), chunk.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {  // end of file; EIO: the other side of the terminal is closed, or it hung up
    ended_ = true;
    return;
  }
  buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  last_ = buffer_.back();
}

void Relay::write_some() {
  const ssize_t count = ::write(to_, buffer_.data(), std::min(buffer_.size(), chunk_size));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) {
    buffer_.clear();
  } else {
    buffer_.erase(0, static_cast<std::size_t>(count));
  }
}

}  // namespace emud::ctl
