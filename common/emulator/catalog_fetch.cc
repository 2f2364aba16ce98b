#include "emulator/catalog_fetch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "emulator/sources.h"

namespace emud {
namespace {

PackagePlace place_of(const CatalogPackage& package) {
  return {.package = package.package,
          .package_version = package.package_version,
          .architecture = package.host == "aarch64" ? "arm64" : "amd64",
          .pool_path = package.pool_path,
          .snapshot = package.snapshot,
          .sha256 = package.sha256};
}

constexpr std::chrono::seconds quickly{2};

// Where the first source has not even failed fast, the others would not be quicker.
void make_impatient(Download& wanted) {
  using Clock = std::chrono::steady_clock;
  wanted.times.connect = std::min(wanted.times.connect, std::chrono::seconds{3});
  wanted.times.stall = std::min(wanted.times.stall, std::chrono::seconds{10});
  wanted.times.grace = std::min(wanted.times.grace, std::chrono::seconds{20});
  if (wanted.urls.empty()) return;
  std::vector<std::string> rest(wanted.urls.begin() + 1, wanted.urls.end());
  wanted.urls.resize(1);
  wanted.more = [rest = std::move(rest), begin = Clock::now()] {
    return Clock::now() - begin < quickly ? rest : std::vector<std::string>{};
  };
}

}  // namespace

DownloadListener listener_for(const InstallProgressSink& progress, const std::string& name) {
  return [&progress, name](const DownloadProgress& step) {
    progress({.step = "fetch", .object = name, .done = step.done, .total = step.total.value_or(0)});
  };
}

FetchOptions own_fetch_options() {
  FetchOptions options;
  const char* mirrors = std::getenv("EMUD_MIRRORS");
  std::istringstream words{mirrors != nullptr ? mirrors : ""};
  for (std::string word; words >> word;) options.mirrors.push_back(word);
  return options;
}

FetchPackage package_fetcher(const Store& store, FetchOptions options) {
  return [&store, options = std::move(options)](
             const CatalogPackage& package,
             const InstallProgressSink& progress) -> Result<FetchedPackage> {
    EMUD_ASSIGN(const Digest digest, Digest::parse(package.sha256));
    Sources sources = sources_of(place_of(package), {.mirrors = options.mirrors});
    Download wanted{.name = package.file, .digest = digest};
    wanted.urls = std::move(sources.urls);
    wanted.more = std::move(sources.more);
    wanted.size = package.size;
    wanted.proxy = options.proxy;
    wanted.times = DownloadTimes::of_patience(options.patience);
    if (options.is_optional) make_impatient(wanted);
    EMUD_ASSIGN(auto downloaded, download(store, wanted, listener_for(progress, package.file)));
    return FetchedPackage{std::move(downloaded.file), std::move(downloaded.url)};
  };
}

}  // namespace emud
