#include "emulator/settled.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/fingerprint.h"
#include "emulator/version.h"

namespace emud {
namespace {

constexpr std::size_t size_limit = 65536;

// The text up to the end of its line, which is taken away.
std::string cut_line(std::string_view& text) {
  std::string line{text.substr(0, text.find('\n'))};
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

SettledChoices::SettledChoices(const Paths& paths,
                               const std::vector<const Architecture*>& architectures,
                               const std::string& version)
    : notes_(paths.runtime + "/settled", size_limit) {
  // What is no version has no place in a file's name.
  if (!version.empty() && !is_version(version)) return;
  const std::string catalog = catalog_state(paths);
  for (const Architecture* architecture : architectures) {
    const std::string installed = installed_state(paths, *architecture);
    memories_.push_back({.name = fmt::format("{}-{}", architecture->name, version),
                         .state = fmt::format("{} {}", catalog, installed)});
  }
}

std::optional<std::vector<SettledChoice>> SettledChoices::recall() const {
  std::vector<SettledChoice> choices;
  for (const Memory& memory : memories_) {
    auto choice = read(memory);
    if (!choice) return std::nullopt;
    choices.push_back(*std::move(choice));
  }
  if (choices.empty()) return std::nullopt;
  return choices;
}

std::optional<SettledChoice> SettledChoices::read(const Memory& memory) const {
  const auto note = notes_.recall(memory.name, memory.state);
  if (!note) return std::nullopt;
  std::string_view rest{*note};
  SettledChoice choice{.digest = cut_line(rest), .notes = {}};
  while (!rest.empty()) choice.notes.push_back(cut_line(rest));
  return choice;
}

void SettledChoices::remember(std::size_t index, const SettledChoice& choice) const {
  if (index >= memories_.size()) return;
  std::string text = choice.digest + '\n';
  for (const std::string& note : choice.notes) {
    if (note.empty() || note.find('\n') != std::string::npos) return;
    text += note + '\n';
  }
  notes_.remember(memories_[index].name, memories_[index].state, text);
}

}  // namespace emud
