// An emulator, or a package of them, from a URL that somebody names together with its SHA-256.
#pragma once

#include <string>
#include <vector>

#include "emulator/catalog_fetch.h"

namespace emud {

// Fetches what that URL has, of at most 256 MiB, and installs it as install_file does (package.h).
// What hashes to `expected`, or all that was asked of that package, being in a store already costs
// no connection; of several processes of one user that want it at once one fetches it, and the
// others wait for a lock in paths.runtime. The errors of download.h and of install_file.
[[nodiscard]] Result<std::vector<Manifest>> install_url(const Store& store, const std::string& url,
                                                        const Digest& expected,
                                                        const Architecture* wanted,
                                                        const FetchOptions& options,
                                                        const InstallProgressSink& progress);

}  // namespace emud
