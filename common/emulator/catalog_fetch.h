// The packages of the catalog, from the network for the store.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "emulator/catalog_install.h"
#include "emulator/download.h"

namespace emud {

struct FetchOptions {
  std::vector<std::string> mirrors{};  // of Debian's archive, asked first
  Proxy proxy{};
  // How long a source may bring next to nothing before the next one is asked.
  std::chrono::seconds patience{30};
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

// Hands a download's progress on as that of the installation of `name`. The sink must outlive it.
[[nodiscard]] DownloadListener listener_for(const InstallProgressSink& progress,
                                            const std::string& name);

}  // namespace emud
