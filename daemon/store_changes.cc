#include "daemon/store_changes.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace emud {
namespace {

// Directories' times go by the kernel's tick: two changes within one look like one.
constexpr std::time_t tick_is_over = 1;

std::string title(const Manifest& manifest) {
  return fmt::format("QEMU {} for {} ({})", manifest.version, manifest.architecture,
                     manifest.digest.substr(0, 8));
}

}  // namespace

void StoreChanges::begin() {
  known_ = list();
}

void StoreChanges::look() {
  if (!may_have_changed()) return;
  Known now = list();
  for (const auto& [digest, manifest] : now) {
    if (known_.contains(digest)) continue;
    events_.publish(architecture_event(event_kind::emulator_installed, manifest.architecture,
                                       fmt::format("installed {}", title(manifest))));
  }
  for (const auto& [digest, manifest] : known_) {
    if (now.contains(digest)) continue;
    events_.publish(architecture_event(event_kind::emulator_removed, manifest.architecture,
                                       fmt::format("removed {}", title(manifest))));
  }
  known_ = std::move(now);
}

// By the time of the store's directory, which each installation and removal changes.
bool StoreChanges::may_have_changed() {
  struct stat info{};
  if (::stat(directory_.c_str(), &info) != 0) return !known_.empty();
  const timespec changed = info.st_mtim;
  const bool is_same = changed.tv_sec == last_.tv_sec && changed.tv_nsec == last_.tv_nsec;
  last_ = changed;
  return !is_same || std::time(nullptr) - changed.tv_sec <= tick_is_over;
}

StoreChanges::Known StoreChanges::list() const {
  const auto manifests = emulators_.list();
  if (!manifests) return known_;  // whoever needs the store hears of it
  Known result;
  for (const auto& manifest : *manifests) result.emplace(manifest.digest, manifest);
  return result;
}

}  // namespace emud
