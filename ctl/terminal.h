// A terminal of the command's own (a pseudo-terminal), as `ssh -t` and sudo's use_pty have it: the
// command leads a session of the keeper's and cannot have the caller's terminal as its controlling
// one. Job control, window size and Ctrl-C work on the pseudo-terminal; emuctl copies the bytes.
#pragma once

#include <poll.h>
#include <termios.h>

#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "ctl/relay.h"
#include "ctl/run_request.h"
#include "ctl/terminal_guard.h"

namespace emud::ctl {

class Terminal {
 public:
  // Opens a pseudo-terminal with the modes and the size of the terminal on stdin. If stdin is none,
  // with the kernel's modes, and stdin and stdout are copied.
  [[nodiscard]] static Result<Terminal> open();
  Terminal(Terminal&&) = default;
  Terminal& operator=(Terminal&&) = delete;
  ~Terminal();  // the caller's terminal is as it was; after a SIGKILL its guard sees to that

  // Puts the pseudo-terminal in the place of every descriptor that is the caller's terminal (of
  // stdin, stdout and stderr if stdin is none), and makes it the command's controlling terminal.
  [[nodiscard]] Result<> attach(RunRequest& request) const;

  // The caller's terminal goes raw if emuctl is in its foreground process group; it is left alone
  // in the background.
  void resume();
  // The caller's terminal gets its modes back.
  void suspend();

  // What the relay waits for now, and what to do when poll(2) has filled in `revents` of those very
  // entries.
  void add_polls(std::vector<pollfd>& entries);
  void handle(const pollfd& entry);

  // Copies what the command wrote before it ended. Gives up when nothing moves for `patience_ms`.
  void drain(int patience_ms);

  // The size of the caller's terminal; none if there is no terminal.
  [[nodiscard]] std::optional<wire::ResizeCall> size() const;

 private:
  Terminal(UniqueFd master, UniqueFd slave, UniqueFd own, UniqueFd input_news);
  [[nodiscard]] bool in_foreground() const;
  void end_input();

  UniqueFd master_;
  UniqueFd slave_;       // held so that the master never hangs up before drain()
  UniqueFd own_;         // the caller's terminal; none if stdin is no terminal
  UniqueFd input_news_;  // epoll: new input came while in the background
  TerminalGuard guard_;
  Relay input_;
  Relay output_;
  termios cooked_{};
  bool is_raw_ = false;
};

}  // namespace emud::ctl
