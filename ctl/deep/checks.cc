#include "ctl/deep/checks.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace emud::ctl {
namespace {

constexpr int broken_status = 1;          // CHECK_BROKEN of deep/guest/deep.h
constexpr int not_supported_status = 77;  // CHECK_NOT_SUPPORTED

// What builds make today is position-independent; the program at a fixed address is run where the
// two are known to differ.
constexpr std::string_view fixed = "static";
constexpr std::string_view pie = "pie";

constexpr auto deep_checks_table = std::to_array<DeepCheck>({
    {"brk", "brk", fixed, "a program at a fixed address grows its heap"},
    {"brk-pie", "brk", pie, "a position-independent program grows its heap"},
    {"mmap", "mmap", fixed, "memory mapped, replaced, moved, reserved"},
    {"mmap-pie", "mmap", pie, "the same in a position-independent program"},
    {"faults", "faults", pie, "page faults are handled and the access is done again"},
    {"generated-code", "generated-code", pie, "code is written, run, overwritten and run again"},
    {"stack", "stack", pie, "6 MiB of stack"},
    {"fork", "fork", pie, "children by the dozen, shared and private memory"},
    {"fork-threads", "fork-threads", pie, "a process with threads forks"},
    {"vfork", "vfork", pie, "programs started with vfork"},
    {"spawn", "spawn", pie, "programs started with posix_spawn"},
    {"spawn-error", "spawn-error", pie, "posix_spawn tells that a program is missing"},
    {"sigchld", "sigchld", pie, "SIGCHLD tells which child ended how"},
    {"job-control", "job-control", pie, "children stop, continue and are killed"},
    {"exec", "exec", pie, "long arguments and environment, close-on-exec"},
    {"argv0", "argv0", pie, "argv[0] stays what the caller chose"},
    {"shebang", "shebang", pie, "scripts whose interpreter is foreign"},
    {"self-exe", "self-exe", pie, "/proc/self/exe is the program"},
    {"exec-self", "exec-self", pie, "/proc/self/exe can be executed"},
    {"threads", "threads", pie, "48 threads, atomics, locks, conditions, thread-local variables"},
    {"thread-churn", "thread-churn", pie, "threads started and ended one after the other"},
    {"thread-stack", "thread-stack", pie, "a thread with 32 MiB of stack"},
    {"thread-cancel", "thread-cancel", pie, "threads are cancelled"},
    {"robust-mutex", "robust-mutex", pie, "a lock whose owner died is handed on"},
    {"shared-mutex", "shared-mutex", pie, "locks and conditions between processes"},
    {"signals", "signals", pie, "signals arrive with what belongs to them"},
    {"signals-nested", "signals-nested", pie, "handlers interrupt handlers, in order"},
    {"signals-masked", "signals-masked", pie, "blocked signals wait, in order"},
    {"signals-thread", "signals-thread", pie, "a thread's signal reaches that thread"},
    {"sigaltstack", "sigaltstack", pie, "a stack overflow is handled on another stack"},
    {"restart", "restart", pie, "interrupted system calls restart, or do not"},
    {"timers", "timers", pie, "interval and POSIX timers"},
    {"large-files", "large-files", pie, "file offsets beyond 4 GiB"},
    {"readdir", "readdir", pie, "a directory of 400 files, telldir and seekdir"},
    {"stat", "stat", pie, "modes, times, links, renames"},
    {"statx", "statx", pie, "statx"},
    {"locks", "locks", pie, "flock and fcntl locks"},
    {"file-mmap", "file-mmap", pie, "files mapped shared and private"},
    {"file-copy", "file-copy", pie, "sendfile and copy_file_range"},
    {"pipes", "pipes", pie, "2 MiB through a pipe, and a pipe without reader"},
    {"sockets", "sockets", pie, "Unix sockets that carry descriptors"},
    {"events", "events", pie, "epoll, eventfd, timerfd, signalfd"},
    {"random", "random", pie, "getrandom and /dev/urandom"},
    {"clock", "clock", pie, "clocks and sleeping"},
    {"uname", "uname", pie, "uname names the foreign machine"},
    {"auxv", "auxv", pie, "the auxiliary vector"},
    {"proc-self", "proc-self", pie, "/proc/self shows the program, not the emulator"},
});

// The first line, without what a terminal could take for commands.
std::string first_line(std::string_view text) {
  std::string line{text.substr(0, text.find('\n'))};
  for (char& byte : line) {
    if (static_cast<unsigned char>(byte) < ' ' || byte == 127) byte = '?';
  }
  return line;
}

std::string how_it_died(const DeepEnd& end, int limit_seconds) {
  if (end.timed_out) return fmt::format("it did not end in {} s", limit_seconds);
  if (end.signal == 0) return fmt::format("it ended with status {}", end.status);
  const char* name = ::sigabbrev_np(end.signal);
  const char* text = ::sigdescr_np(end.signal);
  return fmt::format("it was ended by signal {} (SIG{}: {})", end.signal,
                     name != nullptr ? name : "?", text != nullptr ? text : "unknown");
}

}  // namespace

std::span<const DeepCheck> deep_checks() {
  return deep_checks_table;
}

std::string_view to_string(DeepResult result) {
  switch (result) {
    case DeepResult::ok:
      return "ok";
    case DeepResult::broken:
      return "broken";
    case DeepResult::not_supported:
      return "not_supported";
  }
  return "broken";
}

DeepOutcome judge(const DeepCheck& check, const DeepEnd& end, int limit_seconds) {
  DeepOutcome outcome{.check = &check, .detail = first_line(end.output)};
  const bool ended = !end.timed_out && end.signal == 0;
  if (ended && end.status == 0 && outcome.detail.empty()) return outcome;
  if (ended && end.status == not_supported_status) {
    outcome.result = DeepResult::not_supported;
    return outcome;
  }
  outcome.result = DeepResult::broken;
  if (ended && end.status == broken_status && !outcome.detail.empty()) return outcome;
  const std::string said =
      outcome.detail.empty() ? "" : fmt::format("; it printed \"{}\"", outcome.detail);
  outcome.detail = how_it_died(end, limit_seconds) + said;
  return outcome;
}

}  // namespace emud::ctl
