// What may be typed next on emuctl's command line. The shells ask (packaging/completions), so that
// what they offer is what this program takes.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace emud::ctl {

struct Candidate {
  std::string word;
  std::string description;  // one line; may be empty
};

enum class Completion {
  words,        // the candidates are all
  files,        // the shell's own file names
  directories,  // the same, directories only
  command       // another program's command line begins at `command_at`
};

struct Completions {
  Completion kind = Completion::words;
  std::vector<Candidate> candidates{};
  std::size_t command_at = 0;  // index into the words asked about
};

// words: those behind the program's name; the last is the one being typed and may be empty.
// The app has all verbs.
[[nodiscard]] Completions complete(const CLI::App& app, std::span<const std::string> words);

// `emuctl __complete WORD...`: prints them for the shells: a line "WORD<tab>DESCRIPTION" each, or
// one of ":files", ":directories" and ":command N".
[[nodiscard]] int print_completions(const CLI::App& app, std::span<const std::string> words);

}  // namespace emud::ctl
