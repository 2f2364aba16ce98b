// Store: what brings something into it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/file.h"
#include "emulator/inspect.h"
#include "emulator/interpreter.h"
#include "emulator/space.h"
#include "emulator/store.h"
#include "emulator/store_entry.h"
#include "emulator/temporary.h"

namespace emud {
namespace {

Result<UniqueFd> create_file(int directory, const std::string& name) {
  return open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

Result<> finish_file(const UniqueFd& file, const std::string& name, mode_t mode) {
  if (::fchmod(file.get(), mode) != 0) return fail_errno("set the mode of", name);
  if (::fsync(file.get()) != 0) return fail_errno("write to disk", name);
  return {};
}

// Copies the binary into the directory and opens it again for reading: whoever executes a file
// must not have it open for writing (ETXTBSY, execve(2)).
Result<UniqueFd> store_binary(int binary, std::string_view source, int directory,
                              const std::string& name) {
  {
    EMUD_ASSIGN(const UniqueFd file, create_file(directory, name));
    EMUD_TRY(copy_regular_file(binary, source, file.get(), name, max_input_size));
    EMUD_TRY(finish_file(file, name, 0555));
  }
  return open_at(directory, name, O_RDONLY | O_NOFOLLOW);
}

// A new file with these bytes. shown: its name, for errors.
Result<> store_text(std::string_view bytes, int directory, const std::string& name, mode_t mode,
                    const std::string& shown) {
  EMUD_ASSIGN(const UniqueFd file, create_file(directory, name));
  EMUD_TRY(write_all(file.get(), shown, bytes));
  return finish_file(file, shown, mode);
}

// Composes the interpreter of an emulator into a directory of its own. Opens it for reading;
// nothing where none can be composed.
Result<std::optional<UniqueFd>> compose(const UniqueFd& emulator, int directory,
                                        const std::string& name) {
  EMUD_ASSIGN(std::string bytes, read_all(emulator.get(), name, max_input_size));
  const auto composed = compose_interpreter(std::move(bytes));
  if (!composed) return std::nullopt;
  if (::mkdirat(directory, interpreter_directory, 0755) != 0)
    return fail_errno("create directory", interpreter_directory);
  EMUD_ASSIGN(const UniqueFd folder,
              open_at(directory, interpreter_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::fchmod(folder.get(), 0755) != 0)
    return fail_errno("set the mode of", interpreter_directory);
  EMUD_TRY(store_text(*composed, folder.get(), name, 0555,
                      fmt::format("{}/{}", interpreter_directory, name)));
  if (::fsync(folder.get()) != 0) return fail_errno("write to disk", interpreter_directory);
  return open_at(folder.get(), name, O_RDONLY | O_NOFOLLOW);
}

// What the kernel is told to run instead of the emulator of that manifest. Returns its SHA-256;
// nothing where the emulator itself is run: where none can be composed, or only one that does not
// do what the emulator does.
Result<std::string> store_interpreter(const UniqueFd& emulator, const Architecture& architecture,
                                      const Manifest& manifest, int directory) {
  const std::string name = binary_name(architecture.name);
  EMUD_ASSIGN(const auto interpreter, compose(emulator, directory, name));
  if (!interpreter) return std::string{};
  EMUD_ASSIGN(const auto digest, Digest::of_file(interpreter->get(), name));
  const auto version = inspect_emulator(interpreter->get(), architecture, directory, name);
  if (version && *version == manifest.version) return digest.hex();
  EMUD_TRY(remove_tree(directory, interpreter_directory));
  return std::string{};
}

Result<> check_digest(const Digest& digest, std::string_view expected, std::string_view source) {
  if (expected.empty()) return {};
  EMUD_ASSIGN(const auto wanted, Digest::parse(expected));
  if (digest == wanted) return {};
  return fail(Errc::digest_mismatch, "verify", source,
              fmt::format("its SHA-256 is {} instead of {}", digest.hex(), wanted.hex()),
              "Get the file again, or check the digest with whoever published it");
}

// The good entry of that digest in the store; nothing if there is none or a broken one.
std::optional<Manifest> good_entry(const StoreDirectory& store, const std::string& digest) {
  auto entry = open_entry(store, digest);
  if (!entry || !hash_entry(*entry)) return std::nullopt;
  return std::move(entry->manifest);
}

Result<Manifest> same_architecture(Manifest manifest, const Architecture& architecture,
                                   std::string_view source) {
  if (manifest.architecture == architecture.name) return manifest;
  return fail(Errc::bad_emulator, "check emulator", source,
              fmt::format("it emulates {}, not {}", manifest.architecture, architecture.name),
              fmt::format("Install it with --arch {}", manifest.architecture));
}

// Publishes the temporary under the manifest's digest. Whoever comes second takes what the first
// has published, unless that is broken: then it is replaced.
Result<Manifest> publish(TemporaryDirectory& temporary, const StoreDirectory& store,
                         Manifest manifest) {
  for (;;) {
    auto published = temporary.publish(manifest.digest);
    if (published) return manifest;
    if (published.error().code != Errc::exists) {
      return std::unexpected(std::move(published).error());
    }
    if (auto there = good_entry(store, manifest.digest)) return *std::move(there);
    const auto discarded = discard(store, manifest.digest);
    if (!discarded && discarded.error().code != Errc::not_found) {
      return std::unexpected(discarded.error());
    }
  }
}

// Store::install, but for what it adds to the error of a full disk.
Result<Manifest> install_into(const StoreDirectory& store, int binary,
                              const Architecture& architecture, std::string_view source,
                              std::string_view package_digest, std::string_view expected) {
  EMUD_ASSIGN(auto temporary, TemporaryDirectory::make(store));
  const std::string name = binary_name(architecture.name);
  EMUD_ASSIGN(const UniqueFd stored, store_binary(binary, source, temporary.fd(), name));
  EMUD_ASSIGN(const auto digest, Digest::of_file(stored.get(), source));
  EMUD_TRY(check_digest(digest, expected, source));
  if (auto there = good_entry(store, digest.hex())) {
    return same_architecture(*std::move(there), architecture, source);
  }
  EMUD_ASSIGN(auto version, inspect_emulator(stored.get(), architecture, temporary.fd(), source));
  Manifest manifest{.architecture = std::string{architecture.name},
                    .version = std::move(version),
                    .digest = digest.hex(),
                    .interpreter = {},
                    .source = std::string{source},
                    .package_digest = std::string{package_digest},
                    .installed = manifest_time()};
  const std::string path =
      fmt::format("{}/{}/{}/{}", store.path, manifest.digest, interpreter_directory, name);
  if (path.size() <= longest_interpreter) {
    EMUD_ASSIGN(manifest.interpreter,
                store_interpreter(stored, architecture, manifest, temporary.fd()));
  }
  EMUD_TRY(
      store_text(format_manifest(manifest), temporary.fd(), manifest_file, 0444, manifest_file));
  return publish(temporary, store, std::move(manifest));
}

}  // namespace

Result<Manifest> Store::install(int binary, const Architecture& architecture,
                                std::string_view source, std::string_view package_digest,
                                std::string_view expected) const {
  EMUD_ASSIGN(const auto store, make_store(paths_.store()));
  return with_space_hint(
      install_into(store, binary, architecture, source, package_digest, expected), store.path);
}

}  // namespace emud
