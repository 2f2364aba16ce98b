#include "emulator/package.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "emulator/files.h"
#include "emulator/space.h"
#include "emulator/unpack.h"

namespace emud {
namespace {

enum class Kind { binary, package, unknown };

Result<Kind> kind_of(int file, std::string_view name) {
  std::array<char, 8> bytes{};
  const ssize_t count = ::pread(file, bytes.data(), bytes.size(), 0);
  if (count < 0) return fail_errno("read", name);
  const std::string_view begin{bytes.data(), static_cast<std::size_t>(count)};
  if (begin.starts_with("\177ELF")) return Kind::binary;
  if (begin == "!<arch>\n") return Kind::package;
  return Kind::unknown;
}

// The architecture a file is named after: qemu-<arch> or qemu-<arch>-static.
Result<const Architecture*> named_architecture(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (name.starts_with("qemu-")) {
    name.remove_prefix(5);
    if (name.ends_with("-static")) name.remove_suffix(7);
    if (auto architecture = find_architecture(name)) return architecture;
  }
  return fail(Errc::invalid_argument, "install", path,
              "its name does not tell which architecture it emulates", "Name it with --arch");
}

Result<std::vector<Manifest>> install_binary(const Store& store, int file, std::string_view name,
                                             const Digest& digest, const Architecture* wanted) {
  if (wanted == nullptr) {
    EMUD_ASSIGN(wanted, named_architecture(name));
  }
  EMUD_ASSIGN(auto manifest, store.install(file, *wanted, name, {}, digest.hex()));
  return std::vector{std::move(manifest)};
}

// Removes what an installation brought that failed later.
void take_back(const Store& store, const std::vector<Manifest>& before,
               const std::vector<Manifest>& installed) {
  for (const Manifest& manifest : installed) {
    const bool was_there = std::ranges::any_of(
        before, [&](const Manifest& known) { return known.digest == manifest.digest; });
    if (!was_there) (void)store.remove(manifest.digest);
  }
}

Failure nothing_inside(std::string_view name, const Architecture* wanted) {
  constexpr std::string_view hint =
      "Take Debian's qemu-user-static (up to Debian 12) or qemu-user (from Debian 13)";
  if (wanted == nullptr) {
    return fail(Errc::bad_package, "install", name, "it holds no usr/bin/qemu-<arch>", hint);
  }
  return fail(
      Errc::bad_package, "install", name,
      fmt::format("it holds neither usr/bin/qemu-{0}-static nor usr/bin/qemu-{0}", wanted->name),
      hint);
}

Result<std::vector<Manifest>> install_package(const Store& store, int file, std::string_view name,
                                              const Digest& digest, const Architecture* wanted) {
  std::vector<const Architecture*> candidates;
  if (wanted != nullptr) candidates.push_back(wanted);
  for (const Architecture& architecture : architectures()) {
    if (wanted == nullptr) candidates.push_back(&architecture);
  }
  EMUD_ASSIGN(auto emulators, unpack_emulators(store, file, name, candidates));
  if (emulators.empty()) return nothing_inside(name, wanted);
  EMUD_ASSIGN(const auto before, store.list());
  std::vector<Manifest> installed;
  for (UnpackedEmulator& emulator : emulators) {
    auto manifest = store.install(emulator.file.get(), *emulator.architecture, name, digest.hex());
    if (!manifest) {
      take_back(store, before, installed);
      manifest.error().object += fmt::format(" ({})", emulator.member);
      return std::unexpected(std::move(manifest).error());
    }
    installed.push_back(*std::move(manifest));
    emulator.file.reset();  // its space is needed for the next
  }
  return installed;
}

Result<std::vector<Manifest>> install_copy(const Store& store, int file, std::string_view name,
                                           const Digest& expected, const Architecture* wanted) {
  EMUD_ASSIGN(const UniqueFd copy, store.make_temporary());
  EMUD_TRY(
      copy_regular_file(file, name, copy.get(), fmt::format("a copy of {}", name), max_input_size));
  EMUD_ASSIGN(const auto digest, Digest::of_file(copy.get(), name));
  if (digest != expected) {
    return fail(Errc::digest_mismatch, "verify", name,
                fmt::format("its SHA-256 is {} instead of {}", digest.hex(), expected.hex()),
                "Get the file again, or check the digest with whoever published it");
  }
  EMUD_ASSIGN(const Kind kind, kind_of(copy.get(), name));
  switch (kind) {
    case Kind::binary:
      return install_binary(store, copy.get(), name, digest, wanted);
    case Kind::package:
      return install_package(store, copy.get(), name, digest, wanted);
    case Kind::unknown:
      break;
  }
  return fail(Errc::bad_package, "install", name, "it is neither an ELF program nor a .deb package",
              "Give a static QEMU user-mode emulator or a Debian package of them");
}

}  // namespace

Result<std::vector<Manifest>> install_file(const Store& store, int file, std::string_view name,
                                           const Digest& expected, const Architecture* wanted) {
  return with_space_hint(install_copy(store, file, name, expected, wanted), store.paths().store());
}

}  // namespace emud
