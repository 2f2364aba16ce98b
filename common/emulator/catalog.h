// The emulators that may be fetched: where each is and what it must hash to. Read from one file of
// emud's own and from the administrator's *.json in a directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "base/paths.h"
#include "base/result.h"
#include "emulator/notes.h"

namespace emud {

// One emulator in a package.
struct CatalogMember {
  const Architecture* architecture;
  std::string path;    // in the package, relative: "usr/bin/qemu-aarch64"
  std::string sha256;  // of the binary: 64 hexadecimal digits, lower case
};

// One Debian package of static emulators.
struct CatalogPackage {
  std::string host;             // the CPU it is built for, as QEMU names it: "x86_64"
  std::string version;          // QEMU's own: "10.0.13"
  std::string package;          // "qemu-user"
  std::string package_version;  // "1:10.0.13+ds-0+deb13u1"
  std::string file;             // "qemu-user_10.0.13+ds-0+deb13u1_amd64.deb"
  std::string
      pool_path;         // below a mirror's address: "pool/main/q/qemu/<file>". Letters, digits and
                         // +.~_:- in parts that are not "." or ".."; the last part is `file`
  std::string snapshot;  // "20251115T000000Z", a time at which snapshot.debian.org had it, or empty
  std::uint64_t size = 0;  // bytes
  std::string sha256;      // of the package: 64 hexadecimal digits, lower case
  std::vector<CatalogMember> members;
};

// An emulator that the catalog has. Both live as long as the catalog.
struct CatalogEntry {
  const CatalogPackage* package;
  const CatalogMember* member;
};

// Bounds of what is read.
inline constexpr std::size_t max_catalog_size = std::size_t{4} << 20;

class Catalog {
 public:
  Catalog() = default;

  // paths.catalog, which is part of the program, and *.json in paths.catalog_directory, in the
  // order of their names: files of root's or the current user's that nobody else may write. Any may
  // be absent. Where two files have an emulator for the same host, version and architecture, the
  // later one's is taken: the administrator's word is above ours. Strict: a file that belongs to
  // somebody else (permission_denied), is larger than max_catalog_size (limit_exceeded), is no
  // JSON, has an unknown or no key, a wrong type, a digest, version or path of another form, the
  // same emulator twice: invalid_argument, whose object names the file and the key.
  [[nodiscard]] static Result<Catalog> load(const Paths& paths);

  // Adds the text of one file; path is for the error. Errors as above; then nothing was added.
  [[nodiscard]] Result<> add(std::string_view text, std::string_view path);

  // The newest for this architecture and host whose version is `version` or begins with it up to a
  // dot; empty takes the default: the newest of which no note speaks, else the newest that is only
  // slow, else the newest. not_found, with the versions there are.
  [[nodiscard]] Result<CatalogEntry> find(const Architecture& architecture,
                                          std::string_view version = {},
                                          std::string_view host = host_architecture().name) const;

  // The notes about that version, in the order of the files.
  [[nodiscard]] std::vector<const CatalogNote*> notes_for(const Architecture& architecture,
                                                          std::string_view version) const;

  // The same for people: "QEMU 7.2.22 for aarch64: <text>. <instead>" each.
  [[nodiscard]] std::vector<std::string> warnings_about(const Architecture& architecture,
                                                        std::string_view version) const;

  [[nodiscard]] Soundness soundness(const Architecture& architecture,
                                    std::string_view version) const;

  [[nodiscard]] const std::vector<CatalogPackage>& packages() const { return packages_; }
  [[nodiscard]] const std::vector<CatalogNote>& notes() const { return notes_; }

 private:
  std::vector<CatalogPackage> packages_;
  std::vector<CatalogNote> notes_;
};

}  // namespace emud
