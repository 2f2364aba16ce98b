#include "emulator/install_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

#include "base/file.h"

namespace emud {

Result<UniqueFd> lock_install(const Paths& paths, const Digest& digest,
                              const std::function<void()>& waiting) {
  const std::string directory = paths.runtime + "/installs";
  const std::string name = digest.hex();
  EMUD_ASSIGN(const UniqueFd folder, make_directories(directory, 0755));
  EMUD_ASSIGN(UniqueFd lock, open_at(folder.get(), name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) waiting();
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno("lock", fmt::format("{}/{}", directory, name));
  }
  return lock;
}

}  // namespace emud
