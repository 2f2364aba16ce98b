#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "base/file.h"

namespace emud {
namespace {

// Removes the cgroups below a directory, deepest first. rmdir(2) is all that cgroupfs knows of
// removal.
void remove_children(int directory) {
  const auto names = list_directory(directory, ".");
  if (!names) return;
  for (const auto& name : *names) {
    const auto child = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child) continue;  // a control file
    remove_children(child->get());
    ::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
  }
}

struct Mount {
  std::string root;   // which part of the hierarchy is mounted
  std::string point;  // where
};

// proc(5), /proc/pid/mountinfo: id parent major:minor root mountpoint options [tags...] - type
// source options.
Result<Mount> cgroup2_mount() {
  EMUD_ASSIGN(const std::string text, read_file("/proc/self/mountinfo", 16 << 20));
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields{line};
    std::string id;
    std::string parent;
    std::string device;
    Mount mount;
    fields >> id >> parent >> device >> mount.root >> mount.point;
    return mount;
  }
  return fail(Errc::not_supported, "find", "a cgroup v2 hierarchy", "none is mounted",
              "Mount one with `mount -t cgroup2 none /sys/fs/cgroup`; emud works without, by "
              "following processes");
}

}  // namespace

Result<Cgroup> Cgroup::open(std::string path) {
  EMUD_ASSIGN(UniqueFd directory, open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return Cgroup{std::move(path), std::move(directory)};
}

Result<Cgroup> Cgroup::create(std::string path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("create cgroup", path);
  return open(std::move(path));
}

Result<> Cgroup::kill() const {
  return write_control(fd(), "cgroup.kill", "1");
}

Result<bool> Cgroup::populated() const {
  EMUD_ASSIGN(const std::string events, read_file(fd(), "cgroup.events"));
  return events.find("populated 1") != std::string::npos;
}

Result<> Cgroup::add(pid_t process) const {
  return write_control(fd(), "cgroup.procs", std::to_string(process));
}

Result<> Cgroup::remove() const {
  if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) return {};
  remove_children(fd());
  if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno("remove cgroup", path_);
}

void remove_user_cgroup(const std::string& lease_path) {
  const std::string user = lease_path.substr(0, lease_path.rfind('/'));
  const std::string_view name = std::string_view{user}.substr(user.rfind('/') + 1);
  if (name.starts_with(user_cgroup_prefix)) ::rmdir(user.c_str());  // EBUSY: others are in it
}

void remove_lease_cgroup(const Cgroup& cgroup) {
  [[maybe_unused]] const auto removed = cgroup.remove();
  remove_user_cgroup(cgroup.path());
}

Result<std::string> own_cgroup() {
  EMUD_ASSIGN(const std::string text, read_file("/proc/self/cgroup"));
  std::istringstream lines{text};
  std::string path;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) path = line.substr(3);  // cgroups(7): the v2 hierarchy is number 0
  }
  if (path.empty())
    return fail(Errc::not_supported, "find", "the cgroup of emud", "the kernel has no cgroup v2");
  EMUD_ASSIGN(const Mount mount, cgroup2_mount());
  if (mount.root != "/") {  // a container's part of the hierarchy, or a bind mount of it
    if (!path.starts_with(mount.root)) {
      return fail(Errc::not_supported, "find", "the cgroup of emud",
                  "it is outside of what is mounted");
    }
    path.erase(0, mount.root.size());
  }
  for (const std::string_view name : {daemon_cgroup, std::string_view{".control"}}) {
    if (path.ends_with(name) && path.size() > name.size() &&
        path[path.size() - name.size() - 1] == '/')
      path.resize(path.size() - name.size());
  }
  while (path.ends_with('/')) path.pop_back();
  path.insert(0, mount.point);
  struct statfs info{};
  if (::statfs(path.c_str(), &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) {
    return fail(Errc::not_supported, "find", "the cgroup of emud",
                "another file system is mounted over the hierarchy");
  }
  return path;
}

}  // namespace emud
