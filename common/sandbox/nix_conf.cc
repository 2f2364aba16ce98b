#include "sandbox/nix_conf.h"

#include <sstream>

namespace emud {
namespace {

constexpr int include_depth = 8;  // ends a loop of includes

void add_settings(const std::string& file, const ReadText& read, NixSettings& settings, int depth) {
  const auto text = read(file);
  if (!text || depth > include_depth) return;
  std::istringstream lines{*text};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream tokens{line.substr(0, line.find('#'))};
    std::string key, word;
    tokens >> key >> word;
    if (key == "include" || key == "!include") {
      const std::string folder = file.substr(0, file.rfind('/') + 1);
      add_settings(word.starts_with('/') ? word : folder + word, read, settings, depth + 1);
      continue;
    }
    if (word != "=") continue;
    // `extra-platforms` is a setting's own name; `extra-extra-platforms` appends to it.
    const bool appends = key.starts_with("extra-") && key != "extra-platforms";
    auto& words = settings[appends ? key.substr(6) : key];
    if (!appends) words.clear();
    while (tokens >> word) words.push_back(word);
  }
}

}  // namespace

NixSettings read_nix_settings(const std::string& file, const ReadText& read) {
  NixSettings settings;
  add_settings(file, read, settings, 0);
  return settings;
}

}  // namespace emud
