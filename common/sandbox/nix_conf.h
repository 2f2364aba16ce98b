// What nix.conf sets.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace emud {

// The words of each setting by its name, the last assignment's and what `extra-` appended to it.
using NixSettings = std::map<std::string, std::vector<std::string>>;

// A file's text; nothing where it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& file)>;

// nix.conf(5): `name = words`, `extra-name = words`, `include file` and `!include file`, at most 8
// deep. A file that cannot be read sets nothing.
[[nodiscard]] NixSettings read_nix_settings(const std::string& file, const ReadText& read);

}  // namespace emud
