#include "ctl/command_line.h"

#include <CLI/CLI.hpp>

namespace emud::ctl {
namespace {

// The verbs' options and the global ones are known by the same names everywhere.
const CLI::Option* find_option(const CLI::App& app, const CLI::App* verb, const std::string& name) {
  const CLI::Option* option = verb != nullptr ? verb->get_option_no_throw(name) : nullptr;
  return option != nullptr ? option : app.get_option_no_throw(name);
}

// Whether the option in `word` takes the next word as its value: `--name` or the last letter of
// `-xyz`, of an option that takes one, and no `=value` or rest of the word behind it.
bool takes_next_word(const CLI::App& app, const CLI::App* verb, const std::string& word) {
  const auto takes_value = [&](const std::string& name) {
    const CLI::Option* option = find_option(app, verb, name);
    return option != nullptr && option->get_items_expected_max() > 0;
  };
  if (word.starts_with("--")) return word.find('=') == std::string::npos && takes_value(word);
  for (std::size_t at = 1; at < word.size(); ++at) {
    if (takes_value(std::string{'-', word[at]})) return at + 1 == word.size();
  }
  return false;
}

}  // namespace

bool runs_command(std::string_view verb) {
  return verb == "run" || verb == "build";
}

CommandLine split_command_line(const CLI::App& app, std::span<const std::string> words) {
  CommandLine line;
  const CLI::App* verb = nullptr;
  std::size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    const bool is_option = word.size() > 1 && word[0] == '-' && word != "--";
    if (is_option) {
      line.words.push_back(word);
      if (takes_next_word(app, verb, word) && at + 1 < words.size()) {
        line.words.push_back(words[++at]);
      }
    } else if (line.verb.empty()) {
      line.verb = word;
      line.words.push_back(word);
      if (!runs_command(word)) {
        line.words.insert(line.words.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                          words.end());
        return line;
      }
      verb = app.get_subcommand(word);
    } else {
      if (word == "--") ++at;
      break;
    }
  }
  line.command.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return line;
}

}  // namespace emud::ctl
