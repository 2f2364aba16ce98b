// Control groups v2, for ending everything that a lease started in one write:
// Documentation/admin-guide/cgroup-v2.rst (cgroup.kill, cgroup.events). Works on any v2 hierarchy,
// with or without controllers.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace emud {

// One cgroup directory.
class Cgroup {
 public:
  [[nodiscard]] int fd() const { return directory_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  // SIGKILL to every process in it and below, those being forked included. Returns before they are
  // gone.
  [[nodiscard]] Result<> kill() const;

  // Whether any process is in it or below (cgroup.events, "populated").
  [[nodiscard]] Result<bool> populated() const;

  // Moves a process here.
  [[nodiscard]] Result<> add(pid_t process) const;

  // Removes the directory; cgroups that processes made below go first. busy while processes are
  // left; gone already is success.
  [[nodiscard]] Result<> remove() const;

  [[nodiscard]] static Result<Cgroup> open(std::string path);
  [[nodiscard]] static Result<Cgroup> create(std::string path);

 private:
  Cgroup(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  std::string path_;
  UniqueFd directory_;
};

// The child of emud's cgroup that emud itself lives in where it hands controllers to its leases
// (controllers.h); DelegateSubgroup= of systemd.
inline constexpr std::string_view daemon_cgroup = "emud-daemon";

// The names of the cgroups beside it begin so: one for each user, which his leases' are in, so that
// users share a busy machine equally, however many leases each has.
inline constexpr std::string_view user_cgroup_prefix = "emud-user-";

// Removes the user's cgroup of a lease whose own has gone, if that was the last in it.
void remove_user_cgroup(const std::string& lease_path);

// Both, as far as nothing is in them.
void remove_lease_cgroup(const Cgroup& cgroup);

// The directory of this process's own cgroup in the v2 hierarchy, wherever that is mounted
// (/sys/fs/cgroup, or /sys/fs/cgroup/unified beside a v1 one); for a process in its child
// daemon_cgroup or in systemd's `.control` (ExecStopPost=) the one above. not_supported where there
// is none.
[[nodiscard]] Result<std::string> own_cgroup();

}  // namespace emud
