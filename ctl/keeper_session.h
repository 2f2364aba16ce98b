// emuctl while its command runs: between the keeper, the signals and the terminal.
//
// The contract of signals, which the manual page repeats:
//  - With a pseudo-terminal, keys such as Ctrl-C and Ctrl-Z are bytes for it and act on the
//    command's foreground process group, as at any terminal: emuctl gets no signal.
//  - SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP and SIGCONT that emuctl gets are
//    sent to the command. When its main process ends, everything else of the lease is ended. If the
//    command is still there end_grace after SIGINT, SIGTERM, SIGHUP or SIGQUIT, emuctl closes the
//    keeper's channel, which ends every process of the lease, and exits with 128+N.
//  - Rootless (but for root), the command is in emuctl's process group: what is typed at the
//    terminal reaches it directly, and it may handle it at its leisure. Only signals sent to emuctl
//    by a process count.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/run_session.h"
#include "ctl/signals.h"
#include "ctl/terminal.h"

namespace emud::ctl {

// Together with the time a keeper gives the command when its channel closes, less than a second.
inline constexpr std::chrono::milliseconds end_grace{400};

struct SessionOptions {
  bool shares_terminal = false;  // the command is in this process group
  Terminal* terminal = nullptr;  // the command's pseudo-terminal, if it has one
  std::chrono::milliseconds grace = end_grace;
  // Told each stop and the end; may be empty.
  std::function<void(const wire::WaitReply&)> on_reply = {};
  // A command that has not ended by then is ended: timed_out. None: it may take for ever.
  std::optional<std::chrono::milliseconds> time_limit = std::nullopt;
};

class KeeperSession {
 public:
  // The session must have a keeper.
  KeeperSession(RunSession session, SessionOptions options);
  KeeperSession(const KeeperSession&) = delete;
  KeeperSession& operator=(const KeeperSession&) = delete;

  // Starts the command and stays until it has ended: its exit status, or 128+N. An Error is the
  // keeper's (wire::run_exit_status tells the status), disconnected if it died, or timed_out.
  [[nodiscard]] Result<int> run();

  // The signal to emuctl that asked for the end of the command, 0 if none did.
  [[nodiscard]] int end_signal() const { return end_signal_; }

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Result<> call(std::string_view method, std::string parameters, bool more);
  void forward(int signal);
  void resize();
  void on_signal(const signalfd_siginfo& information);
  [[nodiscard]] Result<std::optional<int>> on_channel(SignalSource& signals);
  [[nodiscard]] Result<std::optional<int>> on_frame(const Frame& frame, SignalSource& signals);
  [[nodiscard]] Result<int> poll_until_end(SignalSource& signals);
  void on_stopped(int signal, SignalSource& signals);
  [[nodiscard]] int milliseconds_left() const;
  [[nodiscard]] Failure keeper_died() const;

  RunSession session_;
  SessionOptions options_;
  Channel& keeper_;
  std::optional<Clock::time_point> deadline_;  // when the channel is closed
  int end_signal_ = 0;                         // what set the deadline; 0: the time limit
  bool gave_up_ = false;                       // the deadline passed
};

// The exit status that a final answer to Wait stands for: 128+N for signal N. protocol if it holds
// neither.
[[nodiscard]] Result<int> exit_status(const wire::WaitReply& reply);

}  // namespace emud::ctl
