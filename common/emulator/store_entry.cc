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
  const std::string name = binary_name(manifest.architecture);
  std::string binary_path = fmt::format("{}/{}", path, name);
  EMUD_ASSIGN(auto binary, open_trusted(directory.fd.get(), name, 0, binary_path));
  return StoreEntry{std::move(manifest), std::move(binary_path), std::move(binary)};
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
  EMUD_ASSIGN(const auto digest, Digest::of_file(entry.binary.fd.get(), entry.path));
  if (digest.hex() == entry.manifest.digest) return {};
  return fail(Errc::digest_mismatch, "verify emulator", entry.path,
              fmt::format("its bytes changed: SHA-256 {} instead of {}", digest.hex(),
                          entry.manifest.digest),
              fmt::format("Remove it with 'emuctl emulator remove {}', install it again and find "
                          "out who changed it",
                          entry.manifest.digest));
}

Result<> verify_entry(const StoreEntry& entry, const FileMemory& memory) {
  const std::string& digest = entry.manifest.digest;
  if (memory.recall(digest, entry.binary.status) == digest) return {};
  EMUD_TRY(hash_entry(entry));
  // Remembered only if nobody changed it while it was read.
  struct stat after = {};
  if (::fstat(entry.binary.fd.get(), &after) != 0) return fail_errno("examine", entry.path);
  if (is_same_state(entry.binary.status, after)) memory.remember(digest, after, digest);
  return {};
}

}  // namespace emud
