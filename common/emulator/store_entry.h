// One entry of a store on disk: the directory <sha256> with a manifest.json, the emulator, and the
// interpreter where one was composed from it. Both have the name of the emulator, which it gives
// itself in its messages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/files.h"
#include "emulator/manifest.h"
#include "emulator/memory.h"

namespace emud {

inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* interpreter_directory = "run";
inline constexpr const char* temporary_prefix = ".tmp-";

// An opened store: its path, made absolute, and a descriptor of the directory.
struct StoreDirectory {
  std::string path;
  UniqueFd fd;
};

// Opens a store that is there (not_found otherwise) or makes it with its parents, mode 0755. It
// must be trusted as open_trusted() says.
[[nodiscard]] Result<StoreDirectory> open_store(const std::string& path);
[[nodiscard]] Result<StoreDirectory> make_store(const std::string& path);

struct StoredFile {
  std::string path;  // absolute
  OpenFile file;
};

// An entry whose manifest was read and whose files are open, but not hashed.
struct StoreEntry {
  Manifest manifest;
  StoredFile emulator;
  std::optional<StoredFile> composed;

  // What the kernel is to be told to run.
  [[nodiscard]] const StoredFile& interpreter() const { return composed ? *composed : emulator; }
};

// Opens the entry of that digest. not_found, permission_denied (links, foreign owner or mode),
// invalid_argument (a manifest that is broken or speaks of another digest).
[[nodiscard]] Result<StoreEntry> open_entry(const StoreDirectory& store, const std::string& digest);

// All entries that can be opened, in no particular order. problem: gets the first error of a system
// call (no descriptor left, a disk that cannot be read) with one that could not.
[[nodiscard]] Result<std::vector<StoreEntry>> open_entries(const StoreDirectory& store,
                                                           std::optional<Error>* problem = nullptr);

// Proves that the files' bytes hash to what the manifest says: digest_mismatch, which names file
// and digests. Without reading one again when `memory` knows the very file; a good one goes into
// the memory.
[[nodiscard]] Result<> verify_entry(const StoreEntry& entry, const FileMemory& memory);

// The same, always reading the bytes.
[[nodiscard]] Result<> hash_entry(const StoreEntry& entry);

// The memory of both files of that entry goes.
void forget_entry(const std::string& digest, const FileMemory& memory);

// "qemu-<arch>", the name of the binary.
[[nodiscard]] std::string binary_name(std::string_view architecture);

}  // namespace emud
