// The proof that a handler works: a tiny foreign program is run through the kernel, in the scope it
// vouches for, from an empty root directory, within a time limit, and has to print what it should
// (invariant 3).
#pragma once

#include <sys/resource.h>

#include <string>

#include "arch/architecture.h"
#include "base/result.h"
#include "sandbox/identity.h"

namespace emud {

inline constexpr int probe_time_limit_ms = 10'000;

// What a probe found; each failure has its own text and hint.
enum class ProbeFinding {
  ready,
  not_registered,  // ENOEXEC: no handler matches
  not_found,       // ENOENT: F is missing, or the interpreter is dynamic
  not_executable,  // another errno of execve(2)
  crashed,         // a signal ended the emulator
  wrong_status,    // whatever it printed
  wrong_output,    // with status 0
  hung,
  no_image,  // emud has no probe program for that architecture
};

struct ProbeReport {
  ProbeFinding finding = ProbeFinding::ready;
  int errno_value = 0;            // not_executable
  int signal = 0;                 // crashed
  int status = 0;                 // wrong_status
  std::string output;             // what it printed, shortened
  rlim_t memory = RLIM_INFINITY;  // bytes that it was allowed (RLIMIT_AS, RLIMIT_DATA)
};

// Runs the probe program of an architecture in the current namespaces, as the identity, and waits
// for its end (the calling process blocks; at most time_limit_ms). An error is a failure of the
// machine (no memory, no process), not a finding.
[[nodiscard]] Result<ProbeReport> probe(const Architecture& architecture, const Identity& identity,
                                        int time_limit_ms = probe_time_limit_ms);

// The report as an error of code not_ready that says what it means and what to do; nothing for
// `ready`.
[[nodiscard]] Result<> require_ready(const ProbeReport& report, const Architecture& architecture);

}  // namespace emud
