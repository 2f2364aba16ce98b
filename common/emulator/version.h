// QEMU's version numbers and the banner that tells them.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace emud {

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Digits and dots, beginning and ending with a digit, at most 32 characters.
[[nodiscard]] bool is_version(std::string_view text);

// Compares number by number: 10.0 is newer than 7.2.18, 7.2.0 than 7.2. Both must be versions.
[[nodiscard]] std::strong_ordering compare_versions(std::string_view a, std::string_view b);

// Whether the version is the wanted one or begins with it up to a dot: "7.2" takes 7.2.18, not
// 7.20. An empty wish takes all.
[[nodiscard]] bool version_matches(std::string_view version, std::string_view wanted);

struct Banner {
  std::string architecture;
  std::string version;
};

// What the first line of `qemu-<arch> --version` says: "qemu-aarch64 version 7.2.18 (Debian ...)".
// QEMU compiles the name in, whatever the file is called (linux-user/main.c). Nothing for any
// other output.
[[nodiscard]] std::optional<Banner> parse_banner(std::string_view output);

}  // namespace emud
