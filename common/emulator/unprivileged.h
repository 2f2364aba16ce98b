// Runs a program that is not trusted, to its end, and takes what it prints: an emulator that is
// asked for its version, or the fetcher that opens an archive.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace emud {

struct UnprivilegedProgram {
  int program = -1;                      // open for reading; executed through this very descriptor
  std::string name{};                    // for errors
  std::vector<std::string> arguments{};  // with argv[0]
  std::vector<std::string> environment{};  // NAME=VALUE
  int input = -1;                          // becomes descriptor 0; /dev/null where negative
  std::vector<int> descriptors{};          // become 3, 4, ...; it has no others
  std::chrono::milliseconds time_limit{10'000};
  std::size_t output_limit = 65536;  // bytes, of each stream
  // setrlimit(2); a lower limit of the caller's stays.
  rlim_t cpu_seconds = 10;
  rlim_t address_space = RLIM_INFINITY;
  rlim_t data = RLIM_INFINITY;
  rlim_t file_size = 0;
  rlim_t processes = RLIM_INFINITY;  // applies only where the user was changed: it counts per user
  // Gets what it writes to descriptor 1 line by line, without the newline, as soon as it is there;
  // the outcome has no output then. The limit counts all the same.
  std::function<void(std::string_view line)> on_line{};
};

struct UnprivilegedOutcome {
  int status = 0;      // as wait(2) has it
  std::string output;  // what it wrote to descriptor 1
  std::string errors;  // and to 2

  [[nodiscard]] bool succeeded() const { return status == 0; }
};

// Runs the program with that environment and no other, in / and a session of its own, with
// PR_SET_NO_NEW_PRIVS, no capability (capabilities(7)), no core file and no other descriptor.
// Called by root, it runs as user emud, else nobody, without supplementary groups; called by
// anybody else, or by the root of a user namespace without other users, as the caller. It dies with
// the thread that called (PR_SET_PDEATHSIG). Needs Linux 5.3 (pidfd_open(2)). Errors: whatever kept
// it from starting, with the step that failed; timed_out beyond the time limit, limit_exceeded
// beyond the output limit, and it is killed then. A program that ran and failed is a good Result:
// see status.
[[nodiscard]] Result<UnprivilegedOutcome> run_unprivileged(const UnprivilegedProgram& program);

// A wait(2) status in words: "exited with status 1", "was killed by signal 11 (Segmentation
// fault)".
[[nodiscard]] std::string describe_status(int status);

// Untrusted output for use in an error: the first line, at most 200 bytes, control characters
// replaced.
[[nodiscard]] std::string first_line(std::string_view output);

}  // namespace emud
