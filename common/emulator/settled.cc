#include "emulator/settled.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/boot.h"
#include "base/file.h"
#include "emulator/files.h"
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
    : directory_(paths.runtime + "/settled") {
  // What is no version has no place in a file's name.
  if (boot_id().empty() || (!version.empty() && !is_version(version))) return;
  const std::string catalog = catalog_state(paths);
  for (const Architecture* architecture : architectures) {
    const std::string installed = installed_state(paths, *architecture);
    memories_.push_back({.name = fmt::format("{}-{}", architecture->name, version),
                         .heading = fmt::format("{} {} {}\n", boot_id(), catalog, installed)});
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
  const std::string path = fmt::format("{}/{}", directory_, memory.name);
  const auto file = open_trusted(AT_FDCWD, path, 0, path);
  if (!file) return std::nullopt;
  const auto text = read_all(file->fd.get(), path, size_limit);
  if (!text || !text->starts_with(memory.heading)) return std::nullopt;
  std::string_view rest = std::string_view{*text}.substr(memory.heading.size());
  SettledChoice choice{.digest = cut_line(rest), .notes = {}};
  while (!rest.empty()) choice.notes.push_back(cut_line(rest));
  return choice;
}

void SettledChoices::remember(std::size_t index, const SettledChoice& choice) const {
  if (index >= memories_.size()) return;
  const Memory& memory = memories_[index];
  std::string text = memory.heading + choice.digest + '\n';
  for (const std::string& note : choice.notes) {
    if (note.empty() || note.find('\n') != std::string::npos) return;
    text += note + '\n';
  }
  if (text.size() > size_limit) return;
  const auto directory = make_directories(directory_, 0755);
  if (directory)
    (void)replace_file(directory->get(), memory.name, text, 0644, Durability::until_reboot);
}

}  // namespace emud
