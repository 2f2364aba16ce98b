#include "ctl/keeper_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/file.h"
#include "sandbox/descendants.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

constexpr int drain_patience_ms = 300;
constexpr int keeper_patience_ms = 2000;

}  // namespace

Result<int> exit_status(const wire::WaitReply& reply) {
  if (reply.signal) return static_cast<int>(128 + *reply.signal);
  if (reply.status) return static_cast<int>(*reply.status);
  return fail(Errc::protocol, "wait for", "the command", "the keeper's answer has no exit status",
              "Look whether emud and emuctl are of the same version: `emuctl status`");
}

KeeperSession::KeeperSession(RunSession session, SessionOptions options)
    : session_(std::move(session)), options_(std::move(options)), keeper_(*session_.keeper) {}

Result<int> KeeperSession::run() {
  EMUD_ASSIGN(SignalSource signals, SignalSource::open(options_.shares_terminal));
  if (options_.terminal != nullptr) resize();  // it may have changed since it was opened
  if (options_.time_limit) deadline_ = Clock::now() + *options_.time_limit;
  auto status = call("Wait", "{}", true);
  Result<int> outcome = status ? poll_until_end(signals) : std::unexpected(status.error());
  // What a key sent to the command came here as well, and would end this process when it is let in.
  while (signals.next()) {
  }
  if (options_.terminal != nullptr) {
    if (outcome && !gave_up_) options_.terminal->drain(drain_patience_ms);
    options_.terminal->suspend();
  }
  session_.keeper.reset();
  // Rootless, the namespaces and all in them are gone when this child is.
  [[maybe_unused]] const auto ended = session_.keeper_process.wait(keeper_patience_ms);
  session_.keeper_process = Child{};
  if (!outcome && session_.other_children)
    EMUD_TRY(end_descendants(keeper_patience_ms, *session_.other_children));
  for (const auto& temporary : session_.temporaries) {
    [[maybe_unused]] const auto removed = remove_tree(AT_FDCWD, temporary);
  }
  return outcome;
}

Result<int> KeeperSession::poll_until_end(SignalSource& signals) {
  for (;;) {
    std::vector<pollfd> entries{
        {keeper_.fd(), static_cast<short>(keeper_.queued_bytes() > 0 ? POLLIN | POLLOUT : POLLIN),
         0},
        {signals.fd(), POLLIN, 0}};
    if (options_.terminal != nullptr) {
      options_.terminal->resume();
      options_.terminal->add_polls(entries);
    }
    const int count = ::poll(entries.data(), entries.size(), milliseconds_left());
    if (count < 0 && errno != EINTR) return fail_errno("wait for", "the command");
    if (deadline_ && Clock::now() >= *deadline_) {
      gave_up_ = true;
      if (end_signal_ == 0) return fail(Errc::timed_out, "wait for", "the command");
      return 128 + end_signal_;
    }
    if (count <= 0) continue;
    if ((entries[0].revents & POLLOUT) != 0) (void)keeper_.flush();  // its end shows when read
    if ((entries[0].revents & ~POLLOUT) != 0) {
      EMUD_ASSIGN(const std::optional<int> status, on_channel(signals));
      if (status) return *status;
    }
    while (const auto information = signals.next()) on_signal(*information);
    for (std::size_t at = 2; at < entries.size(); ++at) options_.terminal->handle(entries[at]);
  }
}

Result<std::optional<int>> KeeperSession::on_channel(SignalSource& signals) {
  const auto filled = keeper_.fill();
  while (const auto frame = keeper_.take()) {
    EMUD_ASSIGN(const std::optional<int> status, on_frame(*frame, signals));
    if (status) return status;
  }
  if (filled) return std::nullopt;
  if (filled.error().code == Errc::disconnected) return keeper_died();
  return std::unexpected(filled.error());
}

Result<std::optional<int>> KeeperSession::on_frame(const Frame& frame, SignalSource& signals) {
  EMUD_ASSIGN(const wire::Reply reply, wire::parse_reply(frame.json));
  if (!reply.error.empty()) return std::unexpected(wire::error_of(reply));
  EMUD_ASSIGN(const auto wait, wire::from_json<wire::WaitReply>(reply.parameters));
  if (options_.on_reply) options_.on_reply(wait);
  if (!reply.continues) {
    EMUD_ASSIGN(const int status, exit_status(wait));
    return status;
  }
  if (wait.stopped) on_stopped(static_cast<int>(*wait.stopped), signals);
  return std::nullopt;
}

void KeeperSession::on_stopped(int signal, SignalSource& signals) {
  // SIGSTOP is no key's: who sent it to the command continues it. Only a terminal must not be left
  // with a command that hears nothing.
  if (signal == SIGSTOP && options_.terminal == nullptr) return;
  if (options_.terminal != nullptr) options_.terminal->suspend();
  signals.stop_self(signal, true);
  // In an orphaned process group nobody could continue what a key has stopped. After a SIGSTOP,
  // whoever continues emuctl continues the command: that SIGCONT is forwarded.
  if (signal != SIGSTOP) forward(SIGCONT);
  if (options_.terminal != nullptr) resize();
}

void KeeperSession::on_signal(const signalfd_siginfo& information) {
  const int signal = static_cast<int>(information.ssi_signo);
  if (signal == SIGWINCH) {
    if (options_.terminal != nullptr) resize();
    return;
  }
  // SI_KERNEL and above: the terminal, not a process (sigaction(2)).
  if (options_.shares_terminal && information.ssi_code > 0) return;
  forward(signal);
  if (asks_to_end(signal) && end_signal_ == 0) {
    deadline_ = Clock::now() + options_.grace;
    end_signal_ = signal;
  }
}

void KeeperSession::forward(int signal) {
  const std::string parameters = wire::to_json(wire::SignalCall{.signal = signal});
  // A channel that cannot be written has ended, which poll_until_end() sees.
  (void)call("Signal", parameters, false);
}

void KeeperSession::resize() {
  if (const auto size = options_.terminal->size())
    (void)call("Resize", wire::to_json(*size), false);
}

Result<> KeeperSession::call(std::string_view method, std::string parameters, bool more) {
  const wire::Call call{.method = fmt::format("{}.{}", wire::keeper_interface, method),
                        .parameters = std::move(parameters),
                        .more = more,
                        .oneway = !more};
  EMUD_TRY(keeper_.put(Frame{wire::encode(call)}));
  const auto sent = keeper_.flush();
  if (!sent && sent.error().code != Errc::disconnected) return std::unexpected(sent.error());
  return {};
}

int KeeperSession::milliseconds_left() const {
  if (!deadline_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
  return static_cast<int>(std::max(left, std::chrono::milliseconds{0}).count());
}

Failure KeeperSession::keeper_died() const {
  return fail(Errc::disconnected, "wait for", "the command",
              fmt::format("the keeper of lease {} died",
                          session_.lease.empty() ? "(unknown)" : session_.lease),
              "Everything of the lease was ended with it; run the command again");
}

}  // namespace emud::ctl
