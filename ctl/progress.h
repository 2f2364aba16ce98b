// The steps of a bring-up, for people.
#pragma once

#include <chrono>
#include <string>

#include "wire/messages.h"

namespace emud::ctl {

enum class Verbosity { quiet, normal, verbose };

// Writes to stderr. Verbose: a line for each step. Normal: on a terminal one line that is rewritten
// while a step whose size is known is under way, a bar with its rate and the time left; elsewhere a
// line when something begins to be fetched. Quiet: nothing.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(Verbosity verbosity);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay() { clear(); }

  void show(const wire::Progress& progress);
  void clear();  // takes the rewritten line away

 private:
  Verbosity verbosity_;
  bool is_terminal_;
  bool has_line_ = false;
  // Of the step under way whose size is known.
  std::string current_;
  std::int64_t first_ = 0;  // bytes that were done when it was first heard of
  std::chrono::steady_clock::time_point began_;
};

// "fetch qemu-user_10.deb [#####-----] 12.0 of 45.1 MiB, 3.4 MiB/s, 10 s left", cut to `width`
// columns; rate and time only where `rate` (bytes a second) is not 0.
[[nodiscard]] std::string progress_bar(const wire::Progress& progress, double rate,
                                       std::size_t width);

// "fetch qemu-user-static 12.0 of 45.1 MiB (26 %)".
[[nodiscard]] std::string progress_text(const wire::Progress& progress);

}  // namespace emud::ctl
