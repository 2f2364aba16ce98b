#include "daemon/config_file.h"

#include <fmt/format.h>

#include <sstream>

namespace emud {
namespace {

// The key of `key = value`, the name of `[section]`, the whole of anything else; empty for a
// comment.
std::string key_of(std::string line) {
  CLI::detail::trim(line);
  if (line.starts_with('#')) return {};
  if (line.starts_with('[')) return line.substr(1, line.find(']') - 1);
  line.resize(std::min(line.find('='), line.size()));
  CLI::detail::trim(line);
  return line;
}

}  // namespace

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  std::ostringstream text;
  text << input.rdbuf();
  std::istringstream lines{text.str()};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (auto key = key_of(line); !key.empty()) lines_.emplace_back(std::move(key), number);
  }
  std::istringstream again{text.str()};
  return CLI::ConfigTOML::from_config(again);
}

std::string ConfigFile::complaint(const std::string& file, const CLI::ParseError& error) const {
  // CLI11 names the option in its message: the longest key in there is the culprit, and of a key
  // that stands there twice the last.
  const std::string message = error.what();
  const std::pair<std::string, int>* culprit = nullptr;
  for (const auto& entry : lines_) {
    if (message.find(entry.first) == std::string::npos) continue;
    if (culprit == nullptr || entry.first.size() >= culprit->first.size()) culprit = &entry;
  }
  if (culprit == nullptr) return {};
  const bool is_unknown = dynamic_cast<const CLI::ConfigError*>(&error) != nullptr;
  return fmt::format("emud: {}:{}: {}\n  `emud --help` lists the keys and what they take.\n", file,
                     culprit->second,
                     is_unknown ? fmt::format("there is no key {}", culprit->first) : message);
}

}  // namespace emud
