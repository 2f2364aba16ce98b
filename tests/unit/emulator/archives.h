// Debian packages, good and hostile, written byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace emud::test {

// A member of a tar archive (ustar; type 'S' is a sparse file of old GNU tar).
struct Member {
  std::string path;
  std::string content;
  char type = '0';              // '0' file, '1' hard link, '2' symbolic link, '5' directory, 'S'
  std::string target{};         // of a link
  std::uint64_t hole_size = 0;  // of a sparse file: this many zeros come before the content
};

[[nodiscard]] std::string tar_member(const Member& member);
[[nodiscard]] std::string tar_end();

// A package whose data archive (uncompressed unless data_name says otherwise) is these bytes.
[[nodiscard]] std::string deb(std::string_view data, std::string_view data_name = "data.tar");

// A member of an ar archive.
[[nodiscard]] std::string ar_member(std::string_view name, std::string_view content);

}  // namespace emud::test
