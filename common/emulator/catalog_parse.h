// One catalog file's text into its packages and notes.
#pragma once

#include <string_view>
#include <vector>

#include "emulator/catalog.h"

namespace emud {

struct CatalogFile {
  std::vector<CatalogPackage> packages;
  std::vector<CatalogNote> notes;
};

// As Catalog::load says of one file:
//   {"version": 1,
//    "packages": [{"host", "version", "package", "package_version", "file", "pool_path",
//                  "snapshot"?, "size", "sha256",
//                  "members": [{"architecture", "path", "sha256"}, ...]}, ...],
//    "notes": [{"from"?, "before"?, "architecture"?, "effect", "text", "instead"}, ...]}
// "packages" and "notes" may each be left out. size is a number, at most max_input_size (files.h);
// everything else is text.
[[nodiscard]] Result<CatalogFile> parse_catalog(std::string_view text, std::string_view path);

}  // namespace emud
