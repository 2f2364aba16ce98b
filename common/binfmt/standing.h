// How one of emud's entries stands among all entries of an instance. Pure: no system call.
#pragma once

#include <string_view>
#include <vector>

#include "binfmt/rule.h"

namespace emud {

enum class Standing {
  good,      // there, enabled, and the first that matches its programs
  missing,   // somebody removed it
  disabled,  // somebody wrote 0 to it
  shadowed,  // a newer entry of another name takes its programs
  replaced,  // the name is taken by an entry of other content, which is not emud's
};

// Entries in the order in which the kernel tries them (Registry::newest_first).
[[nodiscard]] Standing standing_of(const std::vector<Entry>& entries,
                                   const Architecture& architecture, const Rule& rule);

// The enabled entries of other names that take programs of that architecture too.
[[nodiscard]] std::vector<const Entry*> rivals_of(const std::vector<Entry>& entries,
                                                  const Architecture& architecture,
                                                  std::string_view name);

}  // namespace emud
