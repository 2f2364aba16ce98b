#include "emulator/store_entry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "emulator/digest.h"

namespace emud {
namespace {

Result<std::string> absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) return fail_errno(error.value(), "find", path);
  return absolute.lexically_normal().string();
}

Result<StoredFile> open_stored(const OpenFile& directory, const std::string& path,
                               const std::string& name) {
  std::string file_path = fmt::format("{}/{}", path, name);
  EMUD_ASSIGN(auto file, open_trusted(directory.fd.get(), name, 0, file_path));
  return StoredFile{std::move(file_path), std::move(file)};
}

// digest: what it has to be; entry: the one it is of.
Result<> hash_stored(const StoredFile& stored, const std::string& digest,
                     const std::string& entry) {
  EMUD_ASSIGN(const auto found, Digest::of_file(stored.file.fd.get(), stored.path));
  if (found.hex() == digest) return {};
  return fail(
      Errc::digest_mismatch, "verify emulator", stored.path,
      fmt::format("its bytes changed: SHA-256 {} instead of {}", found.hex(), digest),
      fmt::format("Remove it with 'emuctl emulator remove {}', install it again and find out who "
                  "changed it",
                  entry));
}

Result<> verify_stored(const StoredFile& stored, const std::string& digest,
                       const std::string& entry, const FileMemory& memory,
                       const std::string& name) {
  if (memory.recall(name, stored.file.status) == digest) return {};
  EMUD_TRY(hash_stored(stored, digest, entry));
  // Remembered only if nobody changed it while it was read.
  struct stat after = {};
  if (::fstat(stored.file.fd.get(), &after) != 0) return fail_errno("examine", stored.path);
  if (is_same_state(stored.file.status, after)) memory.remember(name, after, digest);
  return {};
}

// As the memory calls it.
std::string composed_name(const std::string& digest) {
  return digest + "-interpreter";
}

}  // namespace

std::string binary_name(std::string_view architecture) {
  return fmt::format("qemu-{}", architecture);
}

Result<StoreDirectory> open_store(const std::string& path) {
  EMUD_ASSIGN(std::string absolute, absolute_path(path));
  EMUD_ASSIGN(OpenFile directory, open_trusted(AT_FDCWD, absolute, O_DIRECTORY, absolute));
  return StoreDirectory{std::move(absolute), std::move(directory.fd)};
}

Result<StoreDirectory> make_store(const std::string& path) {
  auto store = open_store(path);
  if (store || store.error().code != Errc::not_found) return store;
  EMUD_ASSIGN(const UniqueFd made, make_directories(path, 0755));
  if (::fchmod(made.get(), 0755) != 0)
    return fail_errno("set the mode of", path);  // past the umask
  return open_store(path);
}

Result<StoreEntry> open_entry(const StoreDirectory& store, const std::string& digest) {
  const std::string path = fmt::format("{}/{}", store.path, digest);
  EMUD_ASSIGN(const auto directory, open_trusted(store.fd.get(), digest, O_DIRECTORY, path));
  const std::string manifest_path = fmt::format("{}/{}", path, manifest_file);
  EMUD_ASSIGN(const auto file, open_trusted(directory.fd.get(), manifest_file, 0, manifest_path));
  EMUD_ASSIGN(const std::string text, read_all(file.fd.get(), manifest_path, 65536));
  EMUD_ASSIGN(auto manifest, parse_manifest(text, manifest_path));
  if (manifest.digest != digest) {
    return fail(Errc::invalid_argument, "read manifest", manifest_path,
                fmt::format("it speaks of {}", manifest.digest),
                "Remove this entry of the store and install the emulator again");
  }
  EMUD_ASSIGN(auto emulator, open_stored(directory, path, binary_name(manifest.architecture)));
  StoreEntry entry{std::move(manifest), std::move(emulator), {}};
  if (!entry.manifest.interpreter.empty()) {
    const std::string below = fmt::format("{}/{}", path, interpreter_directory);
    EMUD_ASSIGN(const auto folder,
                open_trusted(directory.fd.get(), interpreter_directory, O_DIRECTORY, below));
    EMUD_ASSIGN(entry.composed,
                open_stored(folder, below, binary_name(entry.manifest.architecture)));
  }
  return entry;
}

Result<std::vector<StoreEntry>> open_entries(const StoreDirectory& store,
                                             std::optional<Error>* problem) {
  EMUD_ASSIGN(const auto names, list_directory(store.fd.get(), "."));
  std::vector<StoreEntry> entries;
  for (const std::string& name : names) {
    if (name.size() != 64 || !Digest::parse(name)) continue;
    auto entry = open_entry(store, name);
    if (entry) {
      entries.push_back(*std::move(entry));
    } else if (problem != nullptr && !*problem && entry.error().errno_value != 0 &&
               entry.error().code != Errc::not_found) {
      *problem = std::move(entry).error();
    }
  }
  return entries;
}

Result<> hash_entry(const StoreEntry& entry) {
  const Manifest& manifest = entry.manifest;
  EMUD_TRY(hash_stored(entry.emulator, manifest.digest, manifest.digest));
  if (!entry.composed) return {};
  return hash_stored(*entry.composed, manifest.interpreter, manifest.digest);
}

Result<> verify_entry(const StoreEntry& entry, const FileMemory& memory) {
  const Manifest& manifest = entry.manifest;
  const std::string& digest = manifest.digest;
  EMUD_TRY(verify_stored(entry.emulator, digest, digest, memory, digest));
  if (!entry.composed) return {};
  return verify_stored(*entry.composed, manifest.interpreter, digest, memory,
                       composed_name(digest));
}

void forget_entry(const std::string& digest, const FileMemory& memory) {
  memory.forget(digest);
  memory.forget(composed_name(digest));
}

}  // namespace emud
