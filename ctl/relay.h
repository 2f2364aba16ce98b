// One direction of a terminal's relay: bytes from one descriptor to another through a bounded
// buffer.
#pragma once

#include <cstddef>
#include <string>

namespace emud::ctl {

// Reads no more while max_buffered bytes wait to be written, so that a slow reader slows the writer
// down. The descriptors stay the owner's. Meant for a poll loop: read_some() and write_some() are
// called when poll(2) says so.
class Relay {
 public:
  static constexpr std::size_t max_buffered = 16 << 10;

  Relay(int from, int to) : from_(from), to_(to) {}

  [[nodiscard]] int from() const { return from_; }
  [[nodiscard]] int to() const { return to_; }
  [[nodiscard]] bool wants_input() const { return !ended_ && buffer_.size() < max_buffered; }
  [[nodiscard]] bool wants_output() const { return !buffer_.empty(); }
  [[nodiscard]] bool ended() const { return ended_; }  // nothing will come any more

  void read_some();
  // What cannot be written because the reader is gone is dropped: nobody is there to see it.
  void write_some();

  // Bytes of the owner's own, behind those that wait.
  void append(std::string_view bytes) { buffer_ += bytes; }
  [[nodiscard]] bool ends_in_line() const { return last_ == '\n'; }  // or nothing was read yet

 private:
  int from_;
  int to_;
  std::string buffer_;
  bool ended_ = false;
  char last_ = '\n';
};

}  // namespace emud::ctl
