// One binfmt_misc instance: the host's, or the one of a lease's own user namespace. Everything is
// done through a descriptor of its root directory, never by a path that could lead elsewhere
// meanwhile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "binfmt/rule.h"
#include "emulator/store.h"

namespace emud {

// The proof that a rule was written to a registry. Only Registry::add makes one.
class Registration {
 public:
  [[nodiscard]] const Rule& rule() const { return rule_; }
  [[nodiscard]] const Architecture& architecture() const { return *architecture_; }

 private:
  friend class Registry;
  Registration(Rule rule, const Architecture& architecture)
      : rule_(std::move(rule)), architecture_(&architecture) {}
  Rule rule_;
  const Architecture* architecture_;
};

class Registry {
 public:
  // The instance that is, or should be, mounted at /proc/sys/fs/binfmt_misc. Looking into the
  // directory triggers systemd's automount where there is one; what is there is believed only if
  // statfs(2) says BINFMTFS_MAGIC; otherwise it is mounted. not_supported without
  // CONFIG_BINFMT_MISC, permission_denied without the right to mount.
  [[nodiscard]] static Result<Registry> open_host();

  // The same without mounting anything: not_found where binfmt_misc is not mounted.
  [[nodiscard]] static Result<Registry> look_at_host();

  // Mounts a new instance for the current user namespace over /proc/sys/fs/binfmt_misc of the
  // current mount namespace (Linux >= 6.7: fs/binfmt_misc.c, bm_get_tree and FS_USERNS_MOUNT). It
  // is empty and hides the host's handlers from everything in the namespace. not_supported on older
  // kernels.
  [[nodiscard]] static Result<Registry> mount_private();

  // Makes the mount of mount_private() read-only: rootless, its `register` belongs to the command's
  // own uid. A process without rights over this mount namespace cannot undo it, in no nested one
  // either (mount_namespaces(7), locked flags). add() and remove() fail with read_only afterwards.
  [[nodiscard]] Result<> seal();

  // Registers emud's handler for an architecture: name emud-<arch>, flags PF, and C if credentials
  // is true. If an entry of that name is there and is the very same, that is success; another
  // content is `exists`.
  [[nodiscard]] Result<Registration> add(const Architecture& architecture,
                                         const VerifiedEmulator& emulator,
                                         bool credentials = false);

  // Removes the entry if it is the very one that `rule` made; the kernel has it gone before
  // write(2) returns. One that is gone already is success; one of other content stays (busy): it is
  // not emud's.
  [[nodiscard]] Result<> remove(const Rule& rule);

  // The entry of that name; not_found.
  [[nodiscard]] Result<Entry> inspect(std::string_view name) const;

  // All entries, by name. One that vanishes meanwhile is left out.
  [[nodiscard]] Result<std::vector<Entry>> list() const;

  // The same in the order in which the kernel tries them: the newest first. The kernel shows that
  // in two ways, neither promised: an entry's mtime is when it was registered (in ticks of a few
  // milliseconds), and among equals the directory lists the newest first (fs/libfs.c,
  // dcache_readdir). Tested on 6.18.
  [[nodiscard]] Result<std::vector<Entry>> newest_first() const;

  // Switches an entry on again that somebody has switched off, if it is the very one that `rule`
  // made; busy for another's, not_found.
  [[nodiscard]] Result<> enable(const Rule& rule);

  // Whether the kernel looks at the entries at all: not after somebody wrote 0 to `status`, which
  // emud never writes to.
  [[nodiscard]] Result<bool> is_on() const;

  [[nodiscard]] int directory() const { return directory_.get(); }

 private:
  explicit Registry(UniqueFd directory) : directory_(std::move(directory)) {}
  UniqueFd directory_;
};

}  // namespace emud
