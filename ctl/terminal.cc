#include "ctl/terminal.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace emud::ctl {
namespace {

// The caller's terminal, as an open file of our own where that is possible: O_NONBLOCK on the
// caller's would be seen by everybody who shares it.
Result<UniqueFd> open_own_terminal() {
  if (::isatty(STDIN_FILENO) != 1) return UniqueFd{};
  if (::tcgetsid(STDIN_FILENO) == ::getsid(0)) {
    UniqueFd terminal{::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    if (terminal) return terminal;
  }
  UniqueFd copy{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)};
  if (!copy) return fail_errno("duplicate", "the terminal");
  return copy;
}

Result<SocketPair> open_pseudo_terminal() {
  constexpr std::string_view hint =
      "Mount devpts on /dev/pts, or run the command with --no-terminal";
  SocketPair pair;
  pair.first = UniqueFd{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  if (!pair.first) return fail_errno("open", "a pseudo-terminal", hint);
  if (::grantpt(pair.first.get()) != 0 || ::unlockpt(pair.first.get()) != 0) {
    return fail_errno("unlock", "a pseudo-terminal", hint);
  }
  // By the descriptor, whatever /dev/pts is mounted here (Linux 4.13, ioctl_tty(2)).
  pair.second = UniqueFd{::ioctl(pair.first.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (!pair.second) return fail_errno("open the other side of", "a pseudo-terminal", hint);
  return pair;
}

// In the background the terminal's input belongs to somebody else (the shell), so its readiness is
// no news; that there is more of it than before is (EPOLLET, epoll(7)), and the moment to look
// whether we are in the foreground.
Result<UniqueFd> watch_input(int terminal) {
  UniqueFd news{::epoll_create1(EPOLL_CLOEXEC)};
  if (!news) return fail_errno("create", "an epoll descriptor");
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  if (::epoll_ctl(news.get(), EPOLL_CTL_ADD, terminal, &event) != 0) {
    return fail_errno("watch", "the terminal");
  }
  return news;
}

bool is_same_terminal(int fd, const struct stat& terminal) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
         status.st_rdev == terminal.st_rdev && ::isatty(fd) == 1;
}

}  // namespace

Result<Terminal> Terminal::open() {
  EMUD_ASSIGN(UniqueFd own, open_own_terminal());
  EMUD_ASSIGN(SocketPair pair, open_pseudo_terminal());
  UniqueFd news;
  TerminalGuard guard;
  if (own) {
    termios modes{};
    winsize size{};
    if (::tcgetattr(own.get(), &modes) == 0) {
      ::tcsetattr(pair.second.get(), TCSANOW, &modes);
      // Where no process can be had for it, the command runs all the same.
      if (auto started = TerminalGuard::start(own.get(), modes)) guard = *std::move(started);
    }
    if (::ioctl(own.get(), TIOCGWINSZ, &size) == 0) ::ioctl(pair.first.get(), TIOCSWINSZ, &size);
    EMUD_ASSIGN(news, watch_input(own.get()));
  }
  Terminal terminal{std::move(pair.first), std::move(pair.second), std::move(own), std::move(news)};
  terminal.guard_ = std::move(guard);
  return terminal;
}

Terminal::Terminal(UniqueFd master, UniqueFd slave, UniqueFd own, UniqueFd input_news)
    : master_(std::move(master)),
      slave_(std::move(slave)),
      own_(std::move(own)),
      input_news_(std::move(input_news)),
      input_(own_ ? own_.get() : STDIN_FILENO, master_.get()),
      output_(master_.get(), own_ ? own_.get() : STDOUT_FILENO) {}

Terminal::~Terminal() {
  suspend();
}

Result<> Terminal::attach(RunRequest& request) const {
  struct stat terminal{};
  if (own_ && ::fstat(STDIN_FILENO, &terminal) != 0) return fail_errno("examine", "the terminal");
  for (const auto& [number, index] : request.call.descriptors) {
    const bool replaced =
        own_ ? is_same_terminal(static_cast<int>(number), terminal) : number <= STDERR_FILENO;
    if (!replaced) continue;
    EMUD_ASSIGN(request.fds[static_cast<std::size_t>(index)], slave_.duplicate());
    if (!request.call.terminal) request.call.terminal = number;
  }
  return {};
}

bool Terminal::in_foreground() const {
  return own_ && ::tcgetpgrp(own_.get()) == ::getpgrp();
}

void Terminal::resume() {
  if (is_raw_ || !in_foreground() || ::tcgetattr(own_.get(), &cooked_) != 0) return;
  termios raw = cooked_;
  ::cfmakeraw(&raw);
  is_raw_ = ::tcsetattr(own_.get(), TCSADRAIN, &raw) == 0;
}

void Terminal::suspend() {
  if (!is_raw_) return;
  is_raw_ = false;
  // From the background it would stop us (SIGTTOU), and the modes are somebody else's by now.
  if (in_foreground()) ::tcsetattr(own_.get(), TCSADRAIN, &cooked_);
}

void Terminal::add_polls(std::vector<pollfd>& entries) {
  if (input_.wants_input()) {
    const bool readable = !own_ || in_foreground();
    entries.push_back({readable ? input_.from() : input_news_.get(), POLLIN, 0});
  }
  if (input_.wants_output()) entries.push_back({master_.get(), POLLOUT, 0});
  if (output_.wants_input()) entries.push_back({master_.get(), POLLIN, 0});
  if (output_.wants_output()) entries.push_back({output_.to(), POLLOUT, 0});
}

void Terminal::handle(const pollfd& entry) {
  if (entry.revents == 0) return;
  const bool reads = entry.events == POLLIN;
  if (entry.fd == input_news_.get()) {
    epoll_event news{};
    ::epoll_wait(input_news_.get(), &news, 1, 0);  // the news is told; resume() looks what it means
  } else if (reads && entry.fd == input_.from()) {
    input_.read_some();
    if (input_.ended()) end_input();
  } else if (reads && entry.fd == output_.from()) {
    output_.read_some();
  } else if (!reads && entry.fd == input_.to()) {
    input_.write_some();
  } else if (!reads && entry.fd == output_.to()) {
    output_.write_some();
  }
}

// The end of a pipe is told as it is typed at a terminal: the end-of-file character at the
// beginning of a line (termios(3)).
void Terminal::end_input() {
  termios modes{};
  if (own_ || ::tcgetattr(slave_.get(), &modes) != 0) return;
  const char end = static_cast<char>(modes.c_cc[VEOF]);
  input_.append(std::string(input_.ends_in_line() ? 1 : 2, end));
}

void Terminal::drain(int patience_ms) {
  slave_.reset();
  for (;;) {
    std::vector<pollfd> entries;
    if (output_.wants_input()) entries.push_back({output_.from(), POLLIN, 0});
    if (output_.wants_output()) entries.push_back({output_.to(), POLLOUT, 0});
    if (entries.empty() || ::poll(entries.data(), entries.size(), patience_ms) <= 0) return;
    for (const auto& entry : entries) handle(entry);
  }
}

std::optional<wire::ResizeCall> Terminal::size() const {
  winsize size{};
  if (!own_ || ::ioctl(own_.get(), TIOCGWINSZ, &size) != 0) return std::nullopt;
  return wire::ResizeCall{.rows = size.ws_row, .columns = size.ws_col};
}

}  // namespace emud::ctl
