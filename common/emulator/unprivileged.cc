#include "emulator/unprivileged.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "emulator/unprivileged_child.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

// A started child. Killed with what is left of its process group, and reaped, when this goes.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) (void)end();
  }

  [[nodiscard]] Result<UniqueFd> open() const {
    // By number: <sys/pidfd.h> of glibc 2.36 cannot be used from C++. It is close-on-exec from
    // birth.
    UniqueFd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
    if (!fd) return fail_errno("watch", "a child process");
    return fd;
  }

  // Kills what still runs and returns the status of the child.
  int end() {
    ::kill(-pid_, SIGKILL);  // the session it made; ESRCH before it made it
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

// One stream of the child, collected up to a limit, or handed on line by line.
struct Stream {
  UniqueFd fd;
  std::string bytes;
  std::function<void(std::string_view)> on_line;
  std::size_t handed_on = 0;

  // Takes what can be read without waiting. Closes at the end of the stream.
  Result<> take(std::size_t limit, std::string_view name) {
    char buffer[4096];
    while (fd) {
      const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return {};
      if (count < 0) return fail_errno("read the output of", name);
      if (count == 0) fd.reset();
      bytes.append(buffer, static_cast<std::size_t>(count));
      if (bytes.size() + handed_on > limit) {
        return fail(Errc::limit_exceeded, "run", name,
                    fmt::format("it printed more than {} bytes", limit),
                    "Check that the file is what it is said to be");
      }
      if (on_line) hand_on_lines();
    }
    return {};
  }

 private:
  void hand_on_lines() {
    for (std::size_t end = 0; (end = bytes.find('\n')) != std::string::npos;) {
      on_line(std::string_view{bytes}.substr(0, end));
      handed_on += end + 1;
      bytes.erase(0, end + 1);
    }
  }
};

// Waits until the child has ended and collects what it prints meanwhile.
Result<> collect(const UnprivilegedProgram& program, int pidfd, Stream& output, Stream& errors) {
  const auto deadline = Clock::now() + program.time_limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return fail(Errc::timed_out, "run", program.name,
                  fmt::format("it did not end within {} s",
                              std::chrono::duration<double>(program.time_limit).count()),
                  "Check that the file is what it is said to be and that the machine is not stuck");
    }
    std::array<pollfd, 3> polled{pollfd{pidfd, POLLIN, 0}, pollfd{output.fd.get(), POLLIN, 0},
                                 pollfd{errors.fd.get(), POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0 &&
        errno != EINTR) {
      return fail_errno("wait for", program.name);
    }
    EMUD_TRY(output.take(program.output_limit, program.name));
    EMUD_TRY(errors.take(program.output_limit, program.name));
    if (polled[0].revents != 0) return {};
  }
}

Result<> make_nonblocking(const UniqueFd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("prepare", "a pipe");
  return {};
}

// What the child said about its start: nothing once it executes the program.
Result<> check_start(int fd, const UnprivilegedProgram& program) {
  EMUD_ASSIGN(const std::string report, read_all(fd, "the child's report", sizeof(StartFailure)));
  if (report.empty()) return {};
  StartFailure failure;
  if (report.size() != sizeof failure) {
    return fail(Errc::system, "start", program.name, "the child process ended early");
  }
  std::memcpy(&failure, report.data(), sizeof failure);
  auto error = fail_errno(failure.errno_value, "start", program.name, start_hint(failure)).error();
  error.reason = fmt::format("cannot {}", step_name(failure.step));
  if (failure.step == StartStep::execute && failure.errno_value == ENOENT) {
    error.code = Errc::bad_emulator;  // the program's own interpreter is missing, execve(2)
  }
  return std::unexpected(std::move(error));
}

}  // namespace

Result<UnprivilegedOutcome> run_unprivileged(const UnprivilegedProgram& program) {
  EMUD_ASSIGN(auto output, make_pipe());
  EMUD_ASSIGN(auto errors, make_pipe());
  EMUD_ASSIGN(auto report, make_pipe());
  EMUD_TRY(make_nonblocking(output.first));
  EMUD_TRY(make_nonblocking(errors.first));
  EMUD_ASSIGN(const UniqueFd null, open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  const int input = program.input < 0 ? null.get() : program.input;
  ChildPlan plan{program, {input, output.second.get(), errors.second.get()}, report.second.get()};

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("start", program.name);
  if (pid == 0) plan.run(parent);
  Child child{pid};
  output.second.reset();
  errors.second.reset();
  report.second.reset();
  EMUD_TRY(check_start(report.first.get(), program));
  EMUD_ASSIGN(const UniqueFd pidfd, child.open());

  Stream out{std::move(output.first), {}, program.on_line};
  Stream err{std::move(errors.first), {}, {}};
  EMUD_TRY(collect(program, pidfd.get(), out, err));
  const int status = child.end();
  // What it wrote between the last look and its end.
  EMUD_TRY(out.take(program.output_limit, program.name));
  EMUD_TRY(err.take(program.output_limit, program.name));
  return UnprivilegedOutcome{status, std::move(out.bytes), std::move(err.bytes)};
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return fmt::format("was killed by signal {} ({})", signal, ::strsignal(signal));
  }
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

std::string first_line(std::string_view output) {
  std::string line{output.substr(0, std::min<std::size_t>(output.find('\n'), 200))};
  for (char& character : line) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) character = '?';
  }
  return line;
}

}  // namespace emud
