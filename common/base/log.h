// The daemon's log: one line an event, with the level prefix that journald reads (sd-daemon(3)).
// Library code never logs; the outermost function logs once.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace emud {

enum class Level { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

// Lines above this level are dropped. The default is info.
void set_log_level(Level level);

// What a record of the journal says besides its text: {"EMUD_LEASE", "0123abcd"}. Empty values are
// left out.
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// Where records go instead of stderr; false: it could not take this one, which goes to stderr then.
// Only in this process: its children write to stderr (a sink may hold a descriptor that they
// close).
using LogSink = bool (*)(Level level, std::string_view text, const LogFields& fields);
void set_log_sink(LogSink sink);

// Writes `text` to stderr: with `<N>` in front under a journal ($JOURNAL_STREAM), else with "emud:
// ". Line breaks and control characters in the text are escaped, so that no client can forge a
// line.
void log(Level level, std::string_view text, const LogFields& fields = {});

// An error with its hint, at level error.
void log(const Error& error);

}  // namespace emud
