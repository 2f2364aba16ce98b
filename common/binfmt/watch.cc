#include "binfmt/watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>

#include "base/paths.h"
#include "base/retry.h"
#include "binfmt/registry.h"

namespace emud {

Result<HostWatch> HostWatch::create() {
  UniqueFd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!inotify) {
    return fail_errno("create", "an inotify instance",
                      "Raise fs.inotify.max_user_instances, or the limit of open files");
  }
  return HostWatch{std::move(inotify)};
}

Result<> HostWatch::begin() {
  EMUD_ASSIGN(const Registry registry, Registry::look_at_host());
  // By descriptor: the very directory that was found to be binfmt_misc.
  const std::string path = fmt::format("/proc/self/fd/{}", registry.directory());
  const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(),
                                        IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO);
  if (watch < 0) {
    return fail_errno("watch", binfmt_misc_mount,
                      "Raise fs.inotify.max_user_watches if it is exhausted");
  }
  if (watch_ >= 0 && watch != watch_) ::inotify_rm_watch(inotify_.get(), watch_);
  watch_ = watch;
  return {};
}

void HostWatch::end() {
  if (watch_ >= 0) ::inotify_rm_watch(inotify_.get(), std::exchange(watch_, -1));
}

bool HostWatch::take() {
  bool changed = false;
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t count =
        uninterrupted([&] { return ::read(inotify_.get(), buffer, sizeof buffer); });
    if (count <= 0) return changed;
    for (ssize_t at = 0; at < count;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      // An event of an earlier watch, or the one that tells of its removal, is no change. Too many
      // events at once (IN_Q_OVERFLOW) belong to no watch and are one.
      if (event.wd >= 0 && event.wd != watch_) continue;
      changed = true;
      if ((event.mask & (IN_UNMOUNT | IN_IGNORED)) != 0) watch_ = -1;
    }
  }
}

}  // namespace emud
