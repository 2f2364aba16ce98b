// Varlink messages over a connected AF_UNIX stream socket: JSON objects, each ended by a NUL byte,
// with descriptors (SCM_RIGHTS, unix(7)) travelling with the message that names them.
// Source: https://varlink.org/Method-Call
//
// The class never blocks of itself: it does what the socket allows now and says what it waits for,
// so that an event loop (daemon), a poll loop (keeper) and a blocking caller (emuctl) use the same
// code. It never changes the file status flags of the socket, which the peer of a socket pair or a
// parent process may share.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace emud {

// Environment and arguments have to fit (ARG_MAX is 2 MiB by default).
inline constexpr std::size_t max_message_size = 8 << 20;
inline constexpr std::size_t max_message_fds = 253;  // SCM_MAX_FD, unix(7)

struct Frame {
  // Not an aggregate: GCC 12 destroys an aggregate temporary of a co_await expression twice (GCC
  // bug 98056).
  Frame() = default;
  // Implicit: a message is its text. NOLINTNEXTLINE(google-explicit-constructor)
  Frame(std::string text, std::vector<UniqueFd> descriptors = {})
      : json(std::move(text)), fds(std::move(descriptors)) {}

  std::string json;  // without the NUL
  std::vector<UniqueFd> fds;
};

class [[nodiscard]] Channel {
 public:
  // max_message: the largest message taken from the peer, in bytes without the NUL.
  explicit Channel(UniqueFd socket, std::size_t max_message = max_message_size);

  [[nodiscard]] int fd() const { return socket_.get(); }

  // Asked before each read, with nothing new, and after it: what is held of the peer now, in bytes
  // and descriptors, and the descriptors that are new. Its error is fill's.
  using Admission = std::function<Result<>(std::size_t bytes, std::size_t descriptors,
                                           std::vector<UniqueFd>& received)>;
  void set_admission(Admission admission) { admission_ = std::move(admission); }

  // From now on a message that does not begin as a JSON object is a protocol error of fill's, at
  // its first byte: whoever answers with something else (a banner, HTTP) may never send a NUL.
  void expect_objects() { expects_objects_ = true; }

  // Gives the socket up. Nothing else may be called afterwards.
  [[nodiscard]] UniqueFd take_socket() { return std::move(socket_); }

  // Reads once, whatever is there (recvmsg(2) with MSG_DONTWAIT and MSG_CMSG_CLOEXEC). false: would
  // block, nothing was read. Errors: disconnected at end of file; limit_exceeded for a message that
  // grows beyond the bound or has more than max_message_fds descriptors, and where the messages not
  // yet taken exceed these bounds; protocol if descriptors were truncated. An error is final:
  // what is unfinished is dropped, its descriptors are closed, and every later call says the same.
  // Messages that were whole before can still be taken.
  [[nodiscard]] Result<bool> fill();

  // The next whole message that has been read; none if there is none yet. Descriptors that came
  // with a chunk of bytes belong to the message that holds the chunk's last byte (the kernel ends a
  // read with the data that descriptors were sent with: unix_stream_read_generic).
  [[nodiscard]] std::optional<Frame> take();

  // Queues a message; nothing is sent yet. limit_exceeded for more than max_message_fds or more
  // than max_message_size, which every peer would refuse; internal for a NUL inside.
  [[nodiscard]] Result<> put(Frame frame);

  // Sends what the socket takes now (MSG_DONTWAIT, MSG_NOSIGNAL). true: all was sent. disconnected
  // if the peer is gone. Descriptors are closed here as soon as they are on their way. Nothing that
  // was queued is sent after a failure: the peer sees none of a message, or the end in its middle.
  [[nodiscard]] Result<bool> flush();

  [[nodiscard]] std::size_t queued_bytes() const { return queued_; }  // not yet sent

  // For blocking callers: waits with poll(2), at most timeout_ms (-1: for ever; timed_out).
  [[nodiscard]] Result<Frame> receive(int timeout_ms = -1);
  [[nodiscard]] Result<> send(Frame frame);

 private:
  [[nodiscard]] Result<bool> read_once();
  [[nodiscard]] Result<> split(std::string_view chunk, std::vector<UniqueFd> fds);
  void give_up_sending();

  UniqueFd socket_;
  std::size_t max_message_;
  Admission admission_;
  bool expects_objects_ = false;
  // Of the unfinished message. There is no NUL in it, so that only new bytes are scanned for one.
  std::string input_;
  std::vector<UniqueFd> input_fds_;
  std::optional<Error> failure_;  // of fill
  std::deque<Frame> ready_;
  std::size_t ready_cost_ = 0;  // memory held by ready_, in bytes
  std::size_t ready_fds_ = 0;   // descriptors held by ready_
  std::deque<Frame> output_;    // json with the NUL
  std::size_t sent_ = 0;        // bytes of output_.front() that are gone
  std::size_t queued_ = 0;
};

}  // namespace emud
