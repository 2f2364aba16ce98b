// Packages from the network for the store: the catalog's, and one that somebody names by its URL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emulator/catalog_install.h"
#include "emulator/digest.h"

namespace emud {

struct FetchOptions {
  std::vector<std::string> mirrors{};  // of Debian's archive, asked first
  std::string proxy{};                 // empty: as the environment says (libcurl-env(3))
  // There is another way: a network or mirror that does not answer is given up after seconds, and
  // only the mirrors of the options and of apt are asked.
  bool is_optional = false;
};

// Those of a user without emud: the mirrors in $EMUD_MIRRORS, separated by spaces.
[[nodiscard]] FetchOptions own_fetch_options();

// How install_from_catalog gets a package: from the mirrors of the options, then those of this
// machine's apt, then snapshot.debian.org. Any of them may serve it: size and digest are checked.
// The store must outlive what is returned.
[[nodiscard]] FetchPackage package_fetcher(const Store& store, FetchOptions options);

// Fetches what that URL has, of at most 256 MiB, and installs it as install_file does (package.h).
[[nodiscard]] Result<std::vector<Manifest>> install_url(const Store& store, const std::string& url,
                                                        const Digest& expected,
                                                        const Architecture* wanted,
                                                        const FetchOptions& options,
                                                        const InstallProgressSink& progress);

}  // namespace emud
