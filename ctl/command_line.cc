#include "ctl/command_line.h"

#include <CLI/CLI.hpp>

namespace emud::ctl {
namespace {

// The verbs' options and the global ones are known by the same names everywhere.
const CLI::Option* find_option(const CLI::App& app, const CLI::App* verb, const std::string& name) {
  const CLI::Option* option = verb != nullptr ? verb->get_option_no_throw(name) : nullptr;
  return option != nullptr ? option : app.get_option_no_throw(name);
}

}  // namespace

const CLI::Option* option_taking_next_word(const CLI::App& app, const CLI::App* verb,
                                           const std::string& word) {
  const auto taking_value = [&](const std::string& name) -> const CLI::Option* {
    const CLI::Option* option = find_option(app, verb, name);
    return option != nullptr && option->get_items_expected_max() > 0 ? option : nullptr;
  };
  if (word.starts_with("--"))
    return word.find('=') == std::string::npos ? taking_value(word) : nullptr;
  for (std::size_t at = 1; at < word.size(); ++at) {
    if (const CLI::Option* option = taking_value(std::string{'-', word[at]}))
      return at + 1 == word.size() ? option : nullptr;
  }
  return nullptr;
}

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
      if (option_taking_next_word(app, verb, word) != nullptr && at + 1 < words.size()) {
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
