// The child's side of run_unprivileged: from fork(2) to execveat(2).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/unprivileged.h"

namespace emud {

enum class StartStep : int {
  descriptors,
  directory,
  groups,
  user,
  capabilities,
  no_new_privileges,
  parent,
  limits,
  execute,
};

// What the child writes to its parent when it cannot start the program.
struct StartFailure {
  StartStep step = StartStep::execute;
  int errno_value = 0;
};

[[nodiscard]] std::string_view step_name(StartStep step);  // "drop supplementary groups"
[[nodiscard]] std::string_view start_hint(const StartFailure& failure);

// All that the child needs, made before the fork: run() calls only what signal-safety(7) allows or
// what is a bare system call.
class ChildPlan {
 public:
  // standard: what becomes descriptors 0, 1 and 2; report: where a StartFailure goes. Both, and
  // program, must outlive this.
  ChildPlan(const UnprivilegedProgram& program, const std::array<int, 3>& standard, int report);

  // In the child: becomes the program, or reports why not. parent is the process it must die with.
  [[noreturn]] void run(int parent);

 private:
  [[nodiscard]] bool place_descriptors();
  [[nodiscard]] bool lower_limits() const;
  bool take_account(std::string_view name);
  [[noreturn]] void give_up(StartStep step) const;

  const UnprivilegedProgram& program_;
  std::vector<int>
      descriptors_;  // in the order of their new numbers; the last two: program, report
  std::vector<const char*> arguments_;
  std::vector<const char*> environment_;
  bool change_user_;
  unsigned user_;
  unsigned group_;
};

}  // namespace emud
