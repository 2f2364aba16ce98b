// What the store knows about an emulator: the manifest.json beside each binary.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace emud {

struct Manifest {
  std::string architecture;    // QEMU's name
  std::string version;         // "7.2.18", as the emulator itself says
  std::string digest;          // SHA-256 of the binary, hexadecimal, lower case
  std::string interpreter;     // of what was composed from it (interpreter.h); empty: nothing was
  std::string source;          // where it came from: a path or a URL
  std::string package_digest;  // of the package it was in; empty if it was in none
  std::string installed;       // RFC 3339, UTC: "2026-02-03T04:05:06Z"

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// As indented JSON with a final line break. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string format_manifest(const Manifest& manifest);

// Reads one. The text may be anything: invalid_argument, with the reason, unless it is an object
// whose known members are strings of the right form. Members it does not know are passed over.
// path is for the error.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text, std::string_view path);

// The current time as a manifest has it.
[[nodiscard]] std::string manifest_time();

}  // namespace emud
