#include "arch/compound_name.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <vector>

namespace emud {
namespace {

using namespace std::string_view_literals;

bool is_variant(std::string_view word) {
  return word.size() > 1 && word.front() == 'v' &&
         word.find_first_not_of("0123456789.", 1) == std::string_view::npos;
}

std::string_view cpu_of_platform(std::string_view name) {
  if (name.starts_with("linux/")) name.remove_prefix("linux/"sv.size());
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return name;
  return is_variant(name.substr(slash + 1)) ? name.substr(0, slash) : std::string_view{};
}

bool is_known_abi(std::string_view abi) {
  constexpr std::array families{"gnu"sv, "musl"sv, "uclibc"sv, "android"sv};
  return !abi.ends_with("x32") && !abi.ends_with("ilp32") &&
         std::ranges::any_of(families,
                             [abi](std::string_view family) { return abi.starts_with(family); });
}

std::string cpu_of_triplet(std::string_view name) {
  std::vector<std::string_view> parts;
  for (const auto part : name | std::views::split('-')) parts.emplace_back(part);
  const auto system = std::ranges::find(parts, "linux"sv);
  const auto before = system - parts.begin();  // CPU, or CPU and vendor
  const auto behind = parts.end() - system;    // "linux", or "linux" and ABI
  if (before < 1 || before > 2 || behind < 1 || behind > 2) return {};
  std::string cpu{parts.front()};
  if (behind == 1) return cpu;
  if (parts.back().ends_with("abin32") && cpu.starts_with("mips")) {
    return cpu.ends_with("el") ? "mipsn32el" : "mipsn32";
  }
  return is_known_abi(parts.back()) ? cpu : std::string{};
}

}  // namespace

std::string cpu_of_compound_name(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::string{cpu_of_platform(name)};
  return cpu_of_triplet(name);
}

}  // namespace emud
