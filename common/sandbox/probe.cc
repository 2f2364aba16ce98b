#include "sandbox/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "arch/probe_image.h"
#include "base/file.h"
#include "base/retry.h"
#include "sandbox/namespaces.h"
#include "sandbox/process.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t output_limit = 256;

// What the child tells when it could not start the program.
struct StartFailure {
  int errno_value;
  bool is_exec;  // execve(2) itself failed: that is a finding
};

// An empty root with nothing in it but the program. The mount lives in a mount namespace of this
// process alone and goes with it. /proc/self/fdinfo and the like are not needed: F has opened the
// interpreter already.
Result<> enter_empty_root(std::span<const std::byte> image) {
  EMUD_TRY(unshare_namespaces(CLONE_NEWNS, "a mount namespace for the probe"));
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail_errno("isolate", "the mounts of the probe");
  // Any directory will do to mount on; this one is there wherever binfmt_misc is.
  constexpr const char* place = "/proc";
  if (::mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0) {
    return fail_errno("mount", "an empty root for the probe");
  }
  EMUD_ASSIGN(const UniqueFd root, open_at(AT_FDCWD, place, O_RDONLY | O_DIRECTORY));
  {
    EMUD_ASSIGN(const UniqueFd file,
                open_at(root.get(), "probe", O_WRONLY | O_CREAT | O_EXCL, 0555));
    EMUD_TRY(write_all(file.get(), "probe program",
                       {reinterpret_cast<const char*>(image.data()), image.size()}));
    // The child's umask is its caller's: the program has to be executable for everybody all the
    // same.
    if (::fchmod(file.get(), 0555) != 0) return fail_errno("set the mode of", "probe program");
  }
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) return fail_errno("enter", "the empty root");
  return {};
}

[[noreturn]] void run_program(const Architecture& architecture, const Identity& identity,
                              int output, int failure) {
  const auto give_up = [failure](int error, bool is_exec) {
    const StartFailure report{error, is_exec};
    [[maybe_unused]] const ssize_t count = ::write(failure, &report, sizeof report);
    ::_exit(1);
  };
  if (auto entered = enter_empty_root(probe_image(architecture)); !entered) {
    give_up(entered.error().errno_value, false);
  }
  if (auto became = become(identity); !became) give_up(became.error().errno_value, false);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // There is no /dev/null here.
  const int null = uninterrupted([] { return ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
      ::dup2(null, STDERR_FILENO) < 0) {
    give_up(errno, false);
  }
  char name[] = "/probe";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  ::execve(name, arguments, environment);
  give_up(errno, true);
  ::_exit(1);
}

// Everything it prints until it closes its end; false when the deadline came first.
Result<bool> collect(int fd, std::string& output, Clock::time_point deadline) {
  for (;;) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, milliseconds_until(deadline));
    if (ready == 0) return false;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno("wait for", "the output of the probe");
    char buffer[512];
    const ssize_t count = uninterrupted([&] { return ::read(fd, buffer, sizeof buffer); });
    if (count < 0) return fail_errno("read", "the output of the probe");
    if (count == 0) return true;
    if (output.size() < output_limit) output.append(buffer, static_cast<std::size_t>(count));
  }
}

// "11 (Segmentation fault)"; sigdescr_np(3) knows no name of a real-time signal.
std::string signal_text(int number) {
  const char* description = ::sigdescr_np(number);
  return fmt::format("{} ({})", number,
                     description != nullptr ? description : "a real-time signal");
}

// What it printed, for an error.
std::string printed_text(const std::string& output) {
  if (output.empty()) return "printed nothing";
  if (output == probe_line) return "printed its line";
  return fmt::format("printed {:?}", output);
}

// The lower of the limits that the probe program gets: this process's, lowered by the identity's.
rlim_t memory_limit(const Identity& identity) {
  rlim_t lowest = RLIM_INFINITY;
  for (const int resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &own) == 0)
      lowest = std::min(lowest, own.rlim_cur);
    for (const auto& [number, limit] : identity.limits)
      if (number == resource) lowest = std::min(lowest, limit.rlim_cur);
  }
  return lowest;
}

// What to do about an emulator that does not work.
std::string other_emulator(rlim_t memory) {
  std::string hint = "Try another QEMU: `emuctl emulator list`, then --emulator VERSION";
  if (memory == RLIM_INFINITY) return hint;
  return fmt::format(
      "It may need more memory than the {} KiB it is allowed (`ulimit -v`, `ulimit -d`): raise the "
      "limit. {}",
      memory / 1024, hint);
}

}  // namespace

Result<ProbeReport> probe(const Architecture& architecture, const Identity& identity,
                          int time_limit_ms) {
  ProbeReport report;
  report.memory = memory_limit(identity);
  if (probe_image(architecture).empty()) {
    report.finding = ProbeFinding::no_image;
    return report;
  }
  const auto deadline = Clock::now() + std::chrono::milliseconds{time_limit_ms};
  EMUD_ASSIGN(SocketPair output, make_pipe());
  EMUD_ASSIGN(SocketPair failure, make_pipe());
  EMUD_ASSIGN(Child child, clone_child());
  if (!child) run_program(architecture, identity, output.second.get(), failure.second.get());
  output.second.reset();
  failure.second.reset();

  EMUD_ASSIGN(const bool in_time, collect(output.first.get(), report.output, deadline));
  const auto status = child.wait(milliseconds_until(deadline));
  if (!in_time || !status) {
    report.finding = ProbeFinding::hung;
    return report;  // ~Child kills it
  }
  StartFailure start{};
  const ssize_t told =
      uninterrupted([&] { return ::read(failure.first.get(), &start, sizeof start); });
  if (told < 0) return fail_errno("read", "why the probe did not start");
  if (told == sizeof start) {
    if (!start.is_exec)
      return fail_errno(start.errno_value, "start the probe for", architecture.name);
    report.errno_value = start.errno_value;
    report.finding = start.errno_value == ENOEXEC  ? ProbeFinding::not_registered
                     : start.errno_value == ENOENT ? ProbeFinding::not_found
                                                   : ProbeFinding::not_executable;
  } else if (status->signal != 0) {
    report.finding = ProbeFinding::crashed;
    report.signal = status->signal;
  } else if (status->code != 0) {
    report.finding = ProbeFinding::wrong_status;
    report.status = status->code;
  } else if (report.output != probe_line) {
    report.finding = ProbeFinding::wrong_output;
  }
  return report;
}

Result<> require_ready(const ProbeReport& report, const Architecture& architecture) {
  const auto not_ready = [&](const std::string& reason, std::string_view hint) {
    return fail(Errc::not_ready, "probe", architecture.name, reason, hint);
  };
  const std::string another = other_emulator(report.memory);
  switch (report.finding) {
    case ProbeFinding::ready:
      return {};
    case ProbeFinding::not_registered:
      return not_ready(
          "the kernel has no handler for it (ENOEXEC)",
          "Something removed or disabled the handler: look at /proc/sys/fs/binfmt_misc");
    case ProbeFinding::not_found:
      return not_ready(
          "the interpreter was not found from an empty root (ENOENT): the F flag is missing, "
          "or the emulator is dynamically linked",
          "Install a static QEMU: `emuctl emulator install`");
    case ProbeFinding::not_executable:
      return not_ready(
          fmt::format("the program could not be executed: {}", std::strerror(report.errno_value)),
          another);
    case ProbeFinding::crashed:
      return not_ready(
          fmt::format("the emulator crashed with signal {}", signal_text(report.signal)), another);
    case ProbeFinding::wrong_status:
      return not_ready(fmt::format("the probe program ended with status {} and {}", report.status,
                                   printed_text(report.output)),
                       another);
    case ProbeFinding::wrong_output:
      return not_ready(
          fmt::format("the probe program {} instead of its line", printed_text(report.output)),
          another);
    case ProbeFinding::hung:
      return not_ready("the probe program did not end within the time limit", another);
    case ProbeFinding::no_image:
      return not_ready(
          "emud has no probe program for this architecture, so it cannot be proved ready",
          "Name another architecture; `emuctl status` lists them");
  }
  return {};
}

}  // namespace emud
