// A command under a lease, from the request to the exit status: the body of `run` and `build`.
#pragma once

#include <string>
#include <vector>

#include "ctl/context.h"
#include "ctl/run_options.h"

namespace emud::ctl {

// What emuctl exits with: the command's status, 128+N if signal N ended it, 125 if emuctl or emud
// failed, 126 or 127 if the command cannot be executed or is not there. Failures have been
// reported.
[[nodiscard]] int run_command(const Context& context, const RunOptions& options,
                              std::vector<std::string> command);

}  // namespace emud::ctl
