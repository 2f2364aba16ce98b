// Where emuctl's own words end and the command of `run` and `build` begins.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace emud::ctl {

struct CommandLine {
  std::string verb;                  // the first word that is no option; empty where there is none
  std::vector<std::string> words;    // emuctl's own, the verb included
  std::vector<std::string> command;  // run and build only: the rest
};

// Whether the verb runs a command: its failures exit with 125, wrong usage included.
[[nodiscard]] bool runs_command(std::string_view verb);

// Splits the words behind the program's name. The command of `run` and `build` begins behind the
// first `--` that follows the verb, or with the first word there that is neither an option nor an
// option's value (which `app` knows), so that `emuctl run -a arm64 ls -l` leaves `-l` to ls.
// Unknown options stay with emuctl, whose parser refuses them.
[[nodiscard]] CommandLine split_command_line(const CLI::App& app,
                                             std::span<const std::string> words);

}  // namespace emud::ctl
