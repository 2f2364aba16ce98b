#include "sandbox/keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "base/retry.h"
#include "sandbox/descendants.h"
#include "sandbox/keeper_reply.h"
#include "sandbox/keeper_setup.h"
#include "sandbox/keeper_temporary.h"
#include "sandbox/namespaces.h"
#include "sandbox/run_as.h"
#include "wire/errors.h"
#include "wire/messages.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int end_limit_ms = 5000;  // killed processes left after this are stuck in the kernel
constexpr std::size_t client_message_limit = 65536;

class Keeper {
 public:
  explicit Keeper(KeeperPlan plan)
      : plan_(std::move(plan)), client_(std::move(plan_.channel), client_message_limit) {}

  [[noreturn]] void run();

 private:
  Result<> prepare(int report);
  Result<> bring_up();
  void serve();

  // What the client asks for.
  void handle(const Frame& frame);
  void hold_command();
  void clone_command();
  void start();
  void signal(const wire::Call& call);
  void resize(const wire::Call& call);

  // What happens to the processes.
  void reap();
  void command_ended(ExitStatus status);
  void cancelled();
  void time_is_over();
  void ask_to_end();
  void end_everything();

  void reply(const wire::Reply& message);
  [[nodiscard]] bool is_rootless() const { return emud::is_rootless(plan_.mode); }
  [[nodiscard]] int cgroup_fd() const { return plan_.cgroup ? plan_.cgroup->fd() : -1; }

  KeeperPlan plan_;
  Channel client_;
  std::optional<Registry> registry_;  // keeps the private instance alive
  std::optional<NixDaemonSocket> nix_socket_;
  UniqueFd child_signal_;
  UniqueFd terminal_;
  Result<> limited_;
  std::optional<Result<HeldCommand>> held_;  // until it is started
  Child command_;
  std::optional<ExitStatus> ended_early_;  // how it ended, if it was killed while it was held
  Child nix_daemon_;
  bool wait_more_ = false;
  bool started_ = false;
  bool done_ = false;
  std::optional<Clock::time_point> deadline_;     // when the grace is over
  std::optional<Clock::time_point> last_moment_;  // when the lease's time is over
  std::optional<Error> verdict_;  // why the keeper ends the command, for a client that listens
};

// A process just cloned still has its parent's descriptors and, through emud, its event loop's.
Result<> Keeper::prepare(int report) {
  std::vector<int> keep{client_.fd(), report, plan_.working_directory.get(), cgroup_fd()};
  for (const auto& entry : plan_.command.fds) keep.push_back(entry.fd.get());
  for (const auto& handler : plan_.handlers) keep.push_back(handler.emulator.fd());
  for (const auto& held : plan_.in_use) keep.push_back(held.get());
  close_other_fds(std::move(keep));
  ::prctl(PR_SET_NAME, "emud-keeper");
  // Rootless the command stays in the caller's session and shares his terminal. Through emud it
  // gets a session of its own, led by the keeper, so that a stopped command is not orphaned
  // (credentials(7), setpgid(2)).
  if (!is_rootless()) ::setsid();
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU, SIGTTIN, SIGPIPE}) {
    ::signal(number, SIG_IGN);
  }
  EMUD_TRY(become_subreaper());
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  if (!is_rootless()) ::sigaddset(&children, SIGTERM);  // a blocked signal comes though ignored
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  child_signal_.reset(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signal_) return fail_errno("create", "a signal descriptor");
  return {};
}

Result<> Keeper::bring_up() {
  Channel report{std::move(plan_.report), client_message_limit};
  const auto steps = [&]() -> Result<> {
    EMUD_TRY(prepare(report.fd()));
    if (plan_.nix_daemon) {
      EMUD_ASSIGN(NixDaemonSocket socket, prepare_nix_daemon(*plan_.nix_daemon));
      nix_socket_ = std::move(socket);
    }
    if (plan_.mode != KeeperMode::host) {
      EMUD_ASSIGN(registry_, bring_up_private(plan_, report));
    } else if (plan_.working_directory && ::fchdir(plan_.working_directory.get()) != 0) {
      return fail_errno("enter", "the working directory",
                        "It must be a directory that you may search");
    }
    plan_.working_directory.reset();
    plan_.handlers.clear();
    return report_step(report, keeper_step::ready, plan_.lease);
  };
  auto done = steps();
  if (!done) {
    const auto reply = wire::error_reply(wire::manager_interface, done.error());
    [[maybe_unused]] const auto sent = report.send(Frame{wire::encode(reply)});
  }
  return done;
}

void Keeper::run() {
  if (bring_up()) serve();
  end_everything();
  ::_exit(0);
}

void Keeper::serve() {
  limited_ = limit_process(plan_.limits);
  if (limited_) hold_command();
  if (plan_.limits.seconds > 0)
    last_moment_ = Clock::now() + std::chrono::seconds{plan_.limits.seconds};
  while (!done_) {
    pollfd events[] = {
        {.fd = client_.fd(),
         .events = static_cast<short>(POLLIN | (client_.queued_bytes() > 0 ? POLLOUT : 0)),
         .revents = 0},
        {.fd = child_signal_.get(), .events = POLLIN, .revents = 0},
    };
    int timeout = -1;
    if (deadline_) {
      events[0].fd = -1;  // nobody is there to listen to
      timeout = milliseconds_until(*deadline_);
      if (timeout == 0) {
        if (verdict_) command_ended({});
        return;
      }
    } else if (last_moment_) {
      timeout = milliseconds_until(*last_moment_);
      if (timeout == 0) time_is_over();
    }
    if (::poll(events, 2, timeout) < 0 && errno != EINTR) return;
    if ((events[1].revents & POLLIN) != 0) reap();
    if (done_ || deadline_) continue;
    if ((events[0].revents & POLLOUT) != 0 && !client_.flush()) ask_to_end();
    if ((events[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      if (auto filled = client_.fill(); !filled) {
        if (filled.error().code != Errc::disconnected) verdict_ = filled.error();
        ask_to_end();
        continue;
      }
      while (auto frame = client_.take()) handle(*frame);
    }
  }
}

void Keeper::handle(const Frame& frame) {
  const auto call = wire::parse_call(frame.json);
  if (!call) return ask_to_end();  // it does not speak the protocol; nothing it says can be trusted
  if (call->method == "io.emud.Keeper.Wait") {
    if (started_) {
      return reply(wire::error_reply(
          wire::keeper_interface,
          fail(Errc::protocol, "wait", "the command", "Wait was called already").error()));
    }
    wait_more_ = call->more;
    return start();
  }
  if (call->method == "io.emud.Keeper.Signal") return signal(*call);
  if (call->method == "io.emud.Keeper.Resize") return resize(*call);
  reply(wire::method_not_found(call->method));
}

// While the client is told that the lease is ready, and until it asks for the command. Not where
// the command inherits what the keeper gets only then: a terminal, directories. Rootless the client
// is told in a moment, and the command is started without a copy of this process.
void Keeper::hold_command() {
  const bool inherits = plan_.command.terminal || plan_.nix_daemon || !plan_.temporary.empty() ||
                        !plan_.builds.empty();
  if (!plan_.command.arguments.empty() && !inherits && !is_rootless()) clone_command();
}

void Keeper::clone_command() {
  held_ = HeldCommand::clone(plan_.command, plan_.identity, start_options(plan_));
  if (*held_) command_ = (*held_)->take_child();
}

void Keeper::start() {
  started_ = true;
  if (plan_.command.arguments.empty()) return command_ended({});
  const auto steps = [&]() -> Result<> {
    EMUD_TRY(std::move(limited_));
    if (nix_socket_) {
      EMUD_ASSIGN(nix_daemon_,
                  start_nix_daemon(*plan_.nix_daemon, *std::move(nix_socket_), cgroup_fd()));
      nix_socket_.reset();
    }
    EMUD_ASSIGN(terminal_, take_over_terminal(plan_.command));
    make_temporary(plan_);
    if (is_rootless()) {
      EMUD_ASSIGN(command_, start_own_command(plan_.command, plan_.identity, start_options(plan_)));
      return {};
    }
    if (!held_) clone_command();
    EMUD_ASSIGN(HeldCommand command, *std::move(held_));
    return command.start();
  };
  auto done = steps();
  plan_.command.fds.clear();
  if (done && ended_early_) return command_ended(*ended_early_);
  if (done) return;
  end_everything();
  reply(wire::error_reply(wire::keeper_interface, done.error()));
  done_ = true;
}

void Keeper::signal(const wire::Call& call) {
  const auto parameters = wire::from_json<wire::SignalCall>(call.parameters);
  if (!parameters) return reply(wire::invalid_parameter(parameters.error()));
  if (started_ && command_) {
    const int number = static_cast<int>(parameters->signal);
    pid_t group = is_rootless() ? 0 : command_.pid();
    const pid_t foreground = terminal_ ? ::tcgetpgrp(terminal_.get()) : 0;
    // The command is this process's child and not reaped, so neither its pid nor its group can be
    // another's. The foreground group can: the terminal still names it when it has ended.
    bool sent = false;
    if (foreground > 0 && foreground != group && !is_rootless()) {
      sent = run_as(plan_.identity, -1,
                    [foreground, number] { return ::kill(-foreground, number) == 0; });
    } else {
      group = foreground > 0 ? foreground : group;
      sent = group > 0 && ::kill(-group, number) == 0;
    }
    if (!sent) command_.signal(number);
  }
  if (!call.oneway) reply(wire::Reply{.parameters = "{}", .error = {}, .continues = false});
}

void Keeper::resize(const wire::Call& call) {
  const auto parameters = wire::from_json<wire::ResizeCall>(call.parameters);
  if (!parameters) return reply(wire::invalid_parameter(parameters.error()));
  if (terminal_) {
    winsize size{};
    size.ws_row = static_cast<unsigned short>(parameters->rows);
    size.ws_col = static_cast<unsigned short>(parameters->columns);
    ::ioctl(terminal_.get(), TIOCSWINSZ, &size);  // sends SIGWINCH to its foreground group
  }
  if (!call.oneway) reply(wire::Reply{.parameters = "{}", .error = {}, .continues = false});
}

void Keeper::reap() {
  signalfd_siginfo signal{};
  while (uninterrupted([&] { return ::read(child_signal_.get(), &signal, sizeof signal); }) > 0) {
    if (signal.ssi_signo == SIGTERM) cancelled();
  }
  for (;;) {
    int raw = 0;
    rusage usage{};
    const pid_t process = ::wait4(-1, &raw, WNOHANG | WUNTRACED | __WALL, &usage);
    if (process < 0 && errno == EINTR) continue;
    if (process <= 0) return;
    if (process == nix_daemon_.pid()) {
      nix_daemon_.forget();
      log(Level::warning, "the nix-daemon of lease " + plan_.lease + " ended");
    }
    if (process != command_.pid()) continue;  // an orphan
    if (WIFSTOPPED(raw)) {
      if (wait_more_) {
        wire::WaitReply stopped;
        stopped.stopped = WSTOPSIG(raw);
        reply(wire::Reply{.parameters = wire::to_json(stopped), .error = {}, .continues = true});
      }
      continue;
    }
    command_.forget();
    if (started_) return command_ended(exit_status_of(raw, usage));
    ended_early_ = exit_status_of(raw, usage);
  }
}

void Keeper::command_ended(ExitStatus status) {
  std::vector<std::string> notes;  // of the cgroup, before it is removed
  if (plan_.cgroup) notes = limits_that_were_hit(*plan_.cgroup);
  end_everything();
  reply(verdict_ ? wire::error_reply(wire::keeper_interface, *verdict_)
                 : wait_reply(status, std::move(notes)));
  done_ = true;
}

void Keeper::cancelled() {
  if (!verdict_) {
    verdict_ = fail(Errc::cancelled, "run", "the command",
                    fmt::format("lease {} was cancelled", plan_.lease),
                    "Its owner or root called Cancel: look into emud's log")
                   .error();
  }
  ask_to_end();
}

void Keeper::time_is_over() {
  last_moment_.reset();
  verdict_ = fail(Errc::timed_out, "run", "the command",
                  fmt::format("its time is over: lease {} may take {} seconds", plan_.lease,
                              plan_.limits.seconds),
                  "Raise lease-seconds in the configuration of emud, or --limit-seconds")
                 .error();
  ask_to_end();
}

void Keeper::ask_to_end() {
  if (deadline_ || done_) return;
  if (!started_ || !command_) {
    if (verdict_) command_ended({});
    done_ = true;
    return;
  }
  if (is_rootless()) {
    command_.signal(SIGTERM);
  } else {
    ::kill(-command_.pid(), SIGTERM);
  }
  command_.signal(SIGCONT);
  deadline_ = Clock::now() + plan_.grace;
}

// Nobody and nothing of the lease is left when this returns, so that the client, told after it,
// finds the machine clean.
void Keeper::end_everything() {
  command_.forget();
  nix_daemon_.forget();
  // There the PID namespace ends with this process.
  if (plan_.mode != KeeperMode::private_rootless || has_temporary(plan_)) {
    if (plan_.cgroup) {
      if (auto killed = plan_.cgroup->kill(); !killed && killed.error().code != Errc::not_found)
        log(killed.error());
    }
    if (auto ended = end_descendants(end_limit_ms); !ended) log(ended.error());
  }
  if (plan_.cgroup) remove_lease_cgroup(*plan_.cgroup);
  remove_temporary(plan_, end_limit_ms);
  if (plan_.nix_daemon) {
    [[maybe_unused]] auto removed = remove_tree(AT_FDCWD, plan_.nix_daemon->temporary);
    if (!plan_.nix_daemon->builds.empty())
      removed = remove_tree(AT_FDCWD, plan_.nix_daemon->builds);
  }
  if (!plan_.directory.empty()) {
    [[maybe_unused]] const auto removed = remove_tree(AT_FDCWD, plan_.directory);
    plan_.directory.clear();
  }
}

void Keeper::reply(const wire::Reply& message) {
  // The client has asked and waits; a final answer may take the time its socket needs.
  if (!client_.put(Frame{wire::encode(message)})) return;
  while (client_.queued_bytes() > 0) {
    const auto flushed = client_.flush();
    if (!flushed && flushed.error().code != Errc::disconnected) log(flushed.error());
    if (!flushed || *flushed) return;
    if (message.continues) return;  // the loop sends the rest
    pollfd writable{.fd = client_.fd(), .events = POLLOUT, .revents = 0};
    if (uninterrupted([&] { return ::poll(&writable, 1, end_limit_ms); }) <= 0) return;
  }
}

}  // namespace

void run_keeper(KeeperPlan plan) {
  Keeper{std::move(plan)}.run();
  ::_exit(0);
}

}  // namespace emud
