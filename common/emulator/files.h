// Files whose owner, type or size cannot be taken for granted: opened, made and copied with care.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace emud {

// The largest package or emulator that is taken, in bytes.
inline constexpr std::uint64_t max_input_size = std::uint64_t{256} << 20;

struct OpenFile {
  UniqueFd fd;
  struct stat status = {};
};

// Opens a file or (O_DIRECTORY in flags) a directory, never through a symbolic link in its last
// component, never waiting for a FIFO. It must be a regular file or directory that belongs to root
// or to the current effective user and that neither group nor others may write:
// permission_denied otherwise. A missing one is not_found. path is for the error.
[[nodiscard]] Result<OpenFile> open_trusted(int directory, const std::string& name, int flags,
                                            std::string_view path);

// A new file for reading and writing, mode 0600, in the filesystem of that directory and without
// a name: it is gone when the last descriptor is closed. path (the directory) is for the error.
[[nodiscard]] Result<UniqueFd> make_unnamed_file(int directory, std::string_view path);

// Copies a whole regular file, from its beginning, to the current offset of `to`.
// invalid_argument when `from` is not a regular file, limit_exceeded beyond `limit` bytes.
[[nodiscard]] Result<> copy_regular_file(int from, std::string_view from_name, int to,
                                         std::string_view to_name, std::uint64_t limit);

// A random name: the prefix and 16 hexadecimal digits (getrandom(2)).
[[nodiscard]] Result<std::string> random_name(std::string_view prefix);

}  // namespace emud
