// Where a package of the catalog may be got from. Its content is checked, so any mirror will do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emulator/download.h"

namespace emud {

// What of a package of the catalog says where it is.
struct PackagePlace {
  std::string package;          // "qemu-user"
  std::string package_version;  // "1:10.0.13+ds-0+deb13u1"
  std::string architecture;     // Debian's name: "amd64"
  std::string pool_path;        // below a mirror's address: "pool/main/q/qemu/..."
  std::string snapshot;         // "20251115T000000Z"; empty: not on snapshot.debian.org
  std::string sha256;           // of the package, in hexadecimal
};

struct SourceOptions {
  std::vector<std::string> mirrors{};  // of the configuration: "https://deb.example/debian"
  std::string apt_directory = "/etc/apt";
  bool use_apt_get = true;   // ask apt-get too
  bool use_snapshot = true;  // snapshot.debian.org at last
};

// In this order, each address once:
//  1. the mirrors of the configuration;
//  2. those of apt's sources that are mirrors of Debian's archive: its component main, with
//  "debian"
//     in the address or a suite named as Debian's are; of the security archive where that has the
//     package;
//  then, asked for only when these have failed (Download::more):
//  3. what apt-get says where it knows this very version;
//  4. snapshot.debian.org at the catalog's time.
struct Sources {
  std::vector<std::string> urls;
  MoreSources more;
};
[[nodiscard]] Sources sources_of(const PackagePlace& package, const SourceOptions& options);

// A mirror's address with the path in the archive appended; what is not an unreserved character of
// RFC 3986 is percent-encoded in it, as apt does: some servers take "+" for a space.
[[nodiscard]] std::string url_in(std::string_view mirror, std::string_view pool_path);

}  // namespace emud
