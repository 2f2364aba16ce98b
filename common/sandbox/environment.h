// Environments as lists of NAME=value, as execve(2) takes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emud {

// The variable's value; empty where it is not set.
[[nodiscard]] std::string variable(const std::vector<std::string>& environment,
                                   std::string_view name);

// In place of what was set.
void set_variable(std::vector<std::string>& environment, std::string_view name,
                  std::string_view value);

}  // namespace emud
