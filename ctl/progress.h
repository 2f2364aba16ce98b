// The steps of a bring-up, for people.
#pragma once

#include "wire/messages.h"

namespace emud::ctl {

enum class Verbosity { quiet, normal, verbose };

// Writes to stderr. Verbose: a line for each step. Normal: one line that is rewritten, on a
// terminal only, while a step whose size is known is under way. Quiet: nothing.
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
};

// "fetch qemu-user-static 12.0 of 45.1 MiB (26 %)".
[[nodiscard]] std::string progress_text(const wire::Progress& progress);

}  // namespace emud::ctl
