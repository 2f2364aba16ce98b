// Opens a Debian package with libarchive and writes some of its members to open files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace emud::fetcher {

struct Output {
  std::string member;      // a path without a leading "/" or "./"
  int fd = -1;             // an empty regular file
  std::uint64_t size = 0;  // of what was written
  bool is_written = false;
};

// Reads the whole package from descriptor `package` and writes each wanted member that it has to
// its output. Only the data archive (data.tar, plain, gzip, xz or zstd) is unpacked.
// bad_package, with the reason, for what is broken (truncated, wrong checksum, not a package) and
// for what is hostile: a wanted member that is not a regular file, any member that members.h
// refuses, two data archives, more data or members than emulator/fetcher.h allows.
// The code of errno when an output cannot be written.
[[nodiscard]] Result<> unpack_package(int package, std::span<Output> outputs);

}  // namespace emud::fetcher
