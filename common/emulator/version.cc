#include "emulator/version.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace emud {
namespace {

// Takes the next number and the dot after it from the front of a version.
std::uint64_t take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const std::string_view digits = text.substr(0, text.find('.'));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{}) number = UINT64_MAX;  // longer than any real one
  text.remove_prefix(std::min(digits.size() + 1, text.size()));
  return number;
}

}  // namespace

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 32 && is_digit(text.front()) && is_digit(text.back()) &&
         text.find("..") == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; });
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const auto order = take_number(a) <=> take_number(b);
    if (order != 0) return order;
  }
  return a.size() <=> b.size();  // at least one is empty: more numbers are newer
}

bool version_matches(std::string_view version, std::string_view wanted) {
  return wanted.empty() || version == wanted ||
         (version.starts_with(wanted) && version.size() > wanted.size() &&
          version[wanted.size()] == '.');
}

std::optional<Banner> parse_banner(std::string_view output) {
  constexpr std::string_view prefix = "qemu-";
  constexpr std::string_view middle = " version ";
  const std::string_view line = output.substr(0, output.find('\n'));
  const std::size_t at = line.find(middle);
  if (!line.starts_with(prefix) || at == std::string_view::npos) return std::nullopt;
  const std::string_view architecture = line.substr(prefix.size(), at - prefix.size());
  std::string_view version = line.substr(at + middle.size());
  version = version.substr(0, version.find_first_not_of("0123456789."));
  const bool is_word = !architecture.empty() && std::ranges::all_of(architecture, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_';
  });
  if (!is_word || !is_version(version)) return std::nullopt;
  return Banner{std::string{architecture}, std::string{version}};
}

}  // namespace emud
