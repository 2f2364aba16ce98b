// Which members a data archive may have.
#pragma once

#include <archive_entry.h>

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace emud::fetcher {

// "./usr//bin/x" as "usr/bin/x"; bad_package for an absolute path, one with ".." and one that is
// longer than 1024 bytes.
[[nodiscard]] Result<std::string> member_path(std::string_view path);

// The members seen so far. Nothing is unpacked by its name, so none could do harm: an archive that
// tries is refused all the same, because what it says about the others is worth nothing then.
class Members {
 public:
  // The clean path of the next one. bad_package, with its path, for one that member_path refuses,
  // comes twice, is a hard link, a device, a FIFO or a socket, or where one of the two would be
  // below the other and that is no directory (a symbolic link, say): whichever comes first.
  [[nodiscard]] Result<std::string> add(archive_entry* entry);

 private:
  [[nodiscard]] Result<> check_place(const std::string& path, bool is_directory) const;

  std::map<std::string, bool> is_directory_;  // by path
};

}  // namespace emud::fetcher
