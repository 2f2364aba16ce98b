#include "emulator/url_install.h"

#include <unistd.h>

#include <sstream>

#include "base/file.h"
#include "emulator/download.h"
#include "emulator/install_lock.h"
#include "emulator/package.h"
#include "emulator/space.h"
#include "emulator/url.h"

namespace emud {
namespace {

constexpr std::size_t max_record = 65536;

// The file that locks a package also says what it brought when all of it was wanted: the digests of
// its emulators, one a line.
void record_all(const UniqueFd& lock, const std::vector<Manifest>& manifests) {
  std::string text;
  for (const Manifest& manifest : manifests) text += manifest.digest + '\n';
  // It only saves a download.
  if (::ftruncate(lock.get(), 0) != 0 || ::lseek(lock.get(), 0, SEEK_SET) != 0) return;
  (void)write_all(lock.get(), "the record of a package", text);
}

// What the record says, if all of that is in a store; else nothing.
std::vector<Manifest> recorded_all(const Store& store, const UniqueFd& lock) {
  std::vector<Manifest> manifests;
  std::istringstream lines{
      read_all(lock.get(), "the record of a package", max_record).value_or("")};
  for (std::string digest; lines >> digest;) {
    auto manifest = store.installed(digest);
    if (!manifest) return {};
    manifests.push_back(*std::move(manifest));
  }
  return manifests;
}

// The emulator of that digest or, for one architecture, out of the package of that digest.
Result<std::vector<Manifest>> known_one(const Store& store, const Digest& expected,
                                        const Architecture* wanted) {
  std::vector<Manifest> found;
  EMUD_ASSIGN(const auto list, store.list());
  for (const Manifest& manifest : list) {
    if (wanted != nullptr && manifest.architecture != wanted->name) continue;
    const bool is_it = manifest.digest == expected.hex() ||
                       (wanted != nullptr && manifest.package_digest == expected.hex());
    if (is_it && store.installed(manifest.digest)) return std::vector{manifest};
  }
  return found;
}

}  // namespace

Result<std::vector<Manifest>> install_url(const Store& store, const std::string& url,
                                          const Digest& expected, const Architecture* wanted,
                                          const FetchOptions& options,
                                          const InstallProgressSink& progress) {
  EMUD_TRY(check_url(url));
  const std::string name = without_credentials(url);
  EMUD_ASSIGN(const UniqueFd lock, lock_install(store.paths(), expected, [&] {
                progress({.step = "wait for", .object = name});
              }));
  EMUD_ASSIGN(auto known, known_one(store, expected, wanted));
  if (known.empty() && wanted == nullptr) known = recorded_all(store, lock);
  if (!known.empty()) return known;
  Download source{.name = name, .digest = expected};
  source.urls.push_back(url);
  source.proxy = options.proxy;
  source.times = DownloadTimes::of_patience(options.patience);
  EMUD_ASSIGN(const auto downloaded,
              with_space_hint(download(store, source, listener_for(progress, name)),
                              store.paths().store()));
  EMUD_ASSIGN(auto manifests, install_file(store, downloaded.file.get(), name, expected, wanted));
  if (wanted == nullptr) record_all(lock, manifests);
  return manifests;
}

}  // namespace emud
