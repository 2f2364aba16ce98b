#include "ctl/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "arch/architecture.h"
#include "ctl/command_line.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

// Where the words before the one being typed lead to.
struct Position {
  const CLI::App* verb = nullptr;      // innermost; the app itself before any
  const CLI::Option* value = nullptr;  // the option that takes the next word
  bool is_command = false;             // from `command_at` on the words are another program's
  std::size_t command_at = 0;
};

const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  const auto has_name = [&](const CLI::App* verb) { return verb->get_name() == name; };
  const auto found = app.get_subcommands(has_name);
  return found.empty() ? nullptr : found.front();
}

Position find_position(const CLI::App& app, std::span<const std::string> words) {
  Position position{.verb = &app, .value = nullptr};
  std::string first_verb;
  for (std::size_t at = 0; at + 1 < words.size(); ++at) {
    const std::string& word = words[at];
    if (word.size() > 1 && word[0] == '-' && word != "--") {
      position.value = option_taking_next_word(app, position.verb, word);
      if (position.value != nullptr && at + 2 < words.size()) {
        ++at;
        position.value = nullptr;
      }
    } else if (runs_command(first_verb)) {
      position.is_command = true;
      position.command_at = word == "--" ? at + 1 : at;
      return position;
    } else if (const CLI::App* inner = find_verb(*position.verb, word)) {
      position.verb = inner;
      if (first_verb.empty()) first_verb = word;
    }
  }
  return position;
}

std::string first_sentence(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

bool starts_with(const std::string& word, std::string_view typed) {
  return std::string_view{word}.starts_with(typed);
}

// QEMU's names, and Debian's where the word typed so far is none of QEMU's. In a list with commas
// the last element is completed, without those that stand before it.
std::vector<Candidate> architecture_candidates(std::string_view typed) {
  const std::size_t begin = typed.rfind(',') == std::string_view::npos ? 0 : typed.rfind(',') + 1;
  const std::string before{typed.substr(0, begin)};
  const std::string_view last = typed.substr(begin);
  std::vector<Candidate> found;
  const auto offer = [&](std::string_view name, std::string description) {
    if (!name.starts_with(last) ||
        ("," + before).find(fmt::format(",{},", name)) != std::string::npos)
      return;
    found.push_back({before + std::string{name}, std::move(description)});
  };
  for (const auto& architecture : architectures())
    offer(architecture.name, std::string{architecture.nix_system});
  if (last.empty()) return found;
  for (const auto& architecture : architectures()) {
    for (const auto& alias : architecture.aliases) offer(alias, std::string{architecture.name});
  }
  return found;
}

// The words of CLI11's IsMember, which stand in the type's name as TEXT:{one,two}.
std::vector<Candidate> listed_values(const std::string& type, std::string_view typed) {
  std::vector<Candidate> found;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return found;
  for (const auto& word : CLI::detail::split(type.substr(open + 1, close - open - 1), ',')) {
    if (starts_with(word, typed)) found.push_back({word, {}});
  }
  return found;
}

Completions values(const CLI::Option& option, std::string_view typed) {
  const std::string type = option.get_type_name();
  if (type.starts_with("ARCH")) return {.candidates = architecture_candidates(typed)};
  if (type == "FILE" || type == "PATH") return {.kind = Completion::files};
  if (type == "DIR") return {.kind = Completion::directories};
  return {.candidates = listed_values(type, typed)};
}

void add_options(const CLI::App& app, std::string_view typed, std::vector<Candidate>& found) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // CLI11's way of hiding
    const auto offer = [&](const std::string& name) {
      const bool known = std::ranges::find(found, name, &Candidate::word) != found.end();
      if (!known && starts_with(name, typed))
        found.push_back({name, first_sentence(option->get_description())});
    };
    for (const auto& name : option->get_snames()) offer("-" + name);
    for (const auto& name : option->get_lnames()) offer("--" + name);
  }
}

Completions positional(const CLI::App& verb, std::string_view typed) {
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_positional()) return values(*option, typed);
  }
  return {};
}

}  // namespace

Completions complete(const CLI::App& app, std::span<const std::string> words) {
  const std::string typed = words.empty() ? std::string{} : words.back();
  const Position position = find_position(app, words);
  if (position.is_command) return {.kind = Completion::command, .command_at = position.command_at};
  if (position.value != nullptr) return values(*position.value, typed);
  if (const std::size_t equals = typed.find('=');
      typed.starts_with("--") && equals != std::string::npos) {
    const std::string name = typed.substr(0, equals);
    const CLI::Option* option = option_taking_next_word(app, position.verb, name);
    if (option == nullptr) return {};
    Completions found = values(*option, typed.substr(equals + 1));
    for (auto& candidate : found.candidates)
      candidate.word = fmt::format("{}={}", name, candidate.word);
    return found;
  }
  Completions found;
  if (typed.starts_with('-')) {
    add_options(*position.verb, typed, found.candidates);
    if (position.verb != &app) add_options(app, typed, found.candidates);
    return found;
  }
  for (const CLI::App* verb : position.verb->get_subcommands({})) {
    if (starts_with(verb->get_name(), typed))
      found.candidates.push_back({verb->get_name(), verb->get_description()});
  }
  if (!position.verb->get_subcommands({}).empty()) return found;
  if (runs_command(position.verb->get_name()))
    return {.kind = Completion::command, .command_at = words.size() - 1};
  return positional(*position.verb, typed);
}

int print_completions(const CLI::App& app, std::span<const std::string> words) {
  const Completions found = complete(app, words);
  std::string text;
  switch (found.kind) {
    case Completion::files:
      text = ":files\n";
      break;
    case Completion::directories:
      text = ":directories\n";
      break;
    case Completion::command:
      text = fmt::format(":command {}\n", found.command_at);
      break;
    case Completion::words:
      for (const auto& [word, description] : found.candidates)
        text += description.empty() ? word + "\n" : fmt::format("{}\t{}\n", word, description);
  }
  return finish(print(text));
}

}  // namespace emud::ctl
