#include "wire/channel.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

// A message is seldom longer. On the stack every page of it is touched (-fstack-clash-protection),
// each time a fault.
constexpr std::size_t chunk_size = 4096;
constexpr std::size_t control_size = CMSG_SPACE(sizeof(int) * max_message_fds);

constexpr std::string_view retry_hint =
    "Try again; if it happens again, look into the log of the other side";
constexpr std::string_view size_hint =
    "Pass fewer or shorter arguments and environment variables, or do without emud: `emuctl run "
    "--rootless`";
constexpr std::string_view fds_hint = "Pass fewer descriptors with one message";

// Takes ownership of every descriptor in the control messages.
std::vector<UniqueFd> received_fds(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

// RFC 8259: white space may stand before an object.
Result<> check_beginning(std::string_view part) {
  const std::size_t first = part.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || part[first] == '{') return {};
  return fail(Errc::protocol, "receive", "a message",
              "it is no Varlink message: it does not begin with '{'",
              "Is this emud's socket? It speaks Varlink (https://varlink.org)");
}

// One sendmsg(2). The number of bytes that went; 0: would block. The kernel sends the descriptors
// with the first byte (unix_stream_sendmsg), so that they are gone if anything is.
Result<std::size_t> send_some(int socket, std::string_view bytes, std::span<const UniqueFd> fds) {
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, control_size> control{};
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(part) + i * sizeof(int), &fd, sizeof(int));
    }
  }
  while (true) {
    const ssize_t count = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return fail_errno("send", "a message", retry_hint);
  }
}

// poll(2) for one descriptor until the deadline; none: for ever.
Result<> wait_for(int fd, short events, std::optional<Clock::time_point> deadline) {
  while (true) {
    int timeout_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      timeout_ms = static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
    }
    pollfd entry{fd, events, 0};
    const int count = ::poll(&entry, 1, timeout_ms);
    if (count > 0) return {};
    if (count == 0) {
      return fail(Errc::timed_out, "receive", "a message", "no answer in time", retry_hint);
    }
    if (errno != EINTR) return fail_errno("wait for", "a message", retry_hint);
  }
}

}  // namespace

Channel::Channel(UniqueFd socket, std::size_t max_message)
    : socket_(std::move(socket)), max_message_(max_message) {}

Result<bool> Channel::fill() {
  if (failure_) return std::unexpected(*failure_);
  Result<bool> outcome = read_once();
  if (!outcome) {
    failure_ = outcome.error();
    input_ = {};
    input_fds_.clear();
  }
  return outcome;
}

Result<bool> Channel::read_once() {
  if (ready_cost_ > max_message_ || ready_fds_ > max_message_fds) {
    return fail(Errc::limit_exceeded, "receive", "a message",
                fmt::format("more than {} bytes or {} descriptors of earlier messages wait",
                            max_message_, max_message_fds),
                "Wait for the answer to a call before sending the next");
  }
  if (admission_) {
    std::vector<UniqueFd> none;
    EMUD_TRY(admission_(input_.size() + ready_cost_, input_fds_.size() + ready_fds_, none));
  }
  std::array<char, chunk_size> buffer;
  alignas(cmsghdr) std::array<char, control_size> control;
  iovec vector{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (count < 0) return fail_errno("receive", "a message", retry_hint);

  std::vector<UniqueFd> fds = received_fds(header);
  if (admission_) {
    EMUD_TRY(admission_(input_.size() + ready_cost_ + static_cast<std::size_t>(count),
                        input_fds_.size() + ready_fds_ + fds.size(), fds));
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    return fail(Errc::protocol, "receive", "a message",
                "descriptors were lost: too many came, or no more may be open here",
                "Pass fewer descriptors, or raise the limit of open files");
  }
  if (count == 0) {
    return fail(Errc::disconnected, "receive", "a message",
                input_.empty() ? "the connection was closed"
                               : "the connection was closed in the middle of a message",
                retry_hint);
  }
  EMUD_TRY(split({buffer.data(), static_cast<std::size_t>(count)}, std::move(fds)));
  return true;
}

Result<> Channel::split(std::string_view chunk, std::vector<UniqueFd> fds) {
  while (!chunk.empty()) {
    const std::size_t end = chunk.find('\0');
    const std::string_view part = chunk.substr(0, end);
    if (part.size() > max_message_ - input_.size()) {
      return fail(Errc::limit_exceeded, "receive", "a message",
                  fmt::format("it is longer than {} bytes", max_message_), size_hint);
    }
    if (expects_objects_ && input_.empty()) EMUD_TRY(check_beginning(part));
    input_.append(part);
    const bool complete = end != std::string_view::npos;
    chunk.remove_prefix(complete ? end + 1 : chunk.size());
    if (chunk.empty()) {
      if (input_fds_.size() + fds.size() > max_message_fds) {
        return fail(Errc::limit_exceeded, "receive", "a message",
                    fmt::format("it has more than {} descriptors", max_message_fds), fds_hint);
      }
      std::ranges::move(fds, std::back_inserter(input_fds_));
    }
    if (complete) {
      ready_cost_ += input_.size() + sizeof(Frame);
      ready_fds_ += input_fds_.size();
      ready_.push_back({std::exchange(input_, {}), std::exchange(input_fds_, {})});
    }
  }
  return {};
}

std::optional<Frame> Channel::take() {
  if (ready_.empty()) return std::nullopt;
  Frame frame = std::move(ready_.front());
  ready_.pop_front();
  ready_cost_ -= frame.json.size() + sizeof(Frame);
  ready_fds_ -= frame.fds.size();
  return frame;
}

Result<> Channel::put(Frame frame) {
  if (frame.fds.size() > max_message_fds) {
    return fail(Errc::limit_exceeded, "send", "a message",
                fmt::format("it has more than {} descriptors", max_message_fds), fds_hint);
  }
  if (frame.json.size() > max_message_size) {
    return fail(Errc::limit_exceeded, "send", "a message",
                fmt::format("it is longer than {} bytes", max_message_size), size_hint);
  }
  if (frame.json.contains('\0')) {
    return fail(Errc::internal, "send", "a message", "it has a NUL byte inside",
                "Report this as a bug of emud");
  }
  frame.json.push_back('\0');
  queued_ += frame.json.size();
  output_.push_back(std::move(frame));
  return {};
}

Result<bool> Channel::flush() {
  while (!output_.empty()) {
    Frame& frame = output_.front();
    const std::string_view rest = std::string_view{frame.json}.substr(sent_);
    const auto count = send_some(socket_.get(), rest, frame.fds);
    if (!count) {
      give_up_sending();
      return std::unexpected(count.error());
    }
    if (*count == 0) return false;
    frame.fds.clear();
    sent_ += *count;
    queued_ -= *count;
    if (sent_ == frame.json.size()) {
      output_.pop_front();
      sent_ = 0;
    }
  }
  return true;
}

void Channel::give_up_sending() {
  if (sent_ > 0) ::shutdown(socket_.get(), SHUT_WR);
  output_.clear();
  sent_ = 0;
  queued_ = 0;
}

Result<Frame> Channel::receive(int timeout_ms) {
  std::optional<Clock::time_point> deadline;
  if (timeout_ms >= 0) deadline = Clock::now() + std::chrono::milliseconds{timeout_ms};
  while (true) {
    if (auto frame = take()) return std::move(*frame);
    const Result<bool> filled = fill();
    if (!filled && ready_.empty()) return std::unexpected(filled.error());
    if (filled && !*filled) EMUD_TRY(wait_for(fd(), POLLIN, deadline));
  }
}

Result<> Channel::send(Frame frame) {
  EMUD_TRY(put(std::move(frame)));
  while (true) {
    EMUD_ASSIGN(const bool all, flush());
    if (all) return {};
    EMUD_TRY(wait_for(fd(), POLLOUT, std::nullopt));
  }
}

}  // namespace emud
