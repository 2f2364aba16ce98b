// The configuration file, read by CLI11, with the line of what is wrong in it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace emud {

class ConfigFile : public CLI::ConfigTOML {
 public:
  // Reads as CLI11 does and remembers where each key stands.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

  // "FILE:LINE: what is wrong\n  what to do" for an error that a line of the file has caused; empty
  // for any other.
  [[nodiscard]] std::string complaint(const std::string& file, const CLI::ParseError& error) const;

 private:
  // In the order of the file. CLI11 reads through a const pointer.
  mutable std::vector<std::pair<std::string, int>> lines_;
};

}  // namespace emud
