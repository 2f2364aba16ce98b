// The daemon's log: one line an event, with the level prefix that journald reads (sd-daemon(3)).
// Library code never logs; the outermost function logs once.
#pragma once

#include <string_view>

#include "base/result.h"

namespace emud {

enum class Level { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

// Lines above this level are dropped. The default is info.
void set_log_level(Level level);

// Writes `text` to stderr: with `<N>` in front under a journal ($JOURNAL_STREAM), else with "emud:
// ". Line breaks and control characters in the text are escaped, so that no client can forge a
// line.
void log(Level level, std::string_view text);

// An error with its hint, at level error.
void log(const Error& error);

}  // namespace emud
