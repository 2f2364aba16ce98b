// What `emuctl probe --deep` checks: the table of checks and what comes out of one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace emud::ctl {

struct DeepCheck {
  std::string_view id;       // stable: in JSON, in the manual
  std::string_view check;    // what the guest program calls it (deep/guest/main.c)
  std::string_view program;  // "static" or "pie": the file in libexec/emud/deep/<architecture>
  std::string_view about;    // what a build needs it for, a few words
};

// In the order they run.
[[nodiscard]] std::span<const DeepCheck> deep_checks();

enum class DeepResult { ok, broken, not_supported };

// "ok", "broken", "not_supported": as in JSON.
[[nodiscard]] std::string_view to_string(DeepResult result);

struct DeepOutcome {
  const DeepCheck* check = nullptr;
  DeepResult result = DeepResult::ok;
  std::string detail = {};  // why, where it is not ok: one line
  long milliseconds = 0;    // it took, with its lease
};

// How a check's program ended.
struct DeepEnd {
  int status = 0;
  int signal = 0;           // that ended it, else 0
  bool timed_out = false;   // it was ended at the time limit
  std::string output = {};  // what it printed
};

// What that means. limit_seconds is for the text.
[[nodiscard]] DeepOutcome judge(const DeepCheck& check, const DeepEnd& end, int limit_seconds);

}  // namespace emud::ctl
