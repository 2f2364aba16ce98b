// Where emuctl's own words end and the command of `run` and `build` begins.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

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

// The option in `word` (`--name`, or the last letter of `-xyz`) that takes the next word as its
// value; nullptr where there is none, or where `=value` or the rest of the word is the value. verb
// may be nullptr.
[[nodiscard]] const CLI::Option* option_taking_next_word(const CLI::App& app, const CLI::App* verb,
                                                         const std::string& word);

}  // namespace emud::ctl
