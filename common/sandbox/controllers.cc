#include "sandbox/controllers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "sandbox/cgroup.h"

namespace emud {
namespace {

constexpr std::array<std::string_view, 3> wanted{"pids", "memory", "cpu"};

// systemd sets both on every cgroup that it delegates; trusted.* cannot be set without privileges.
bool is_delegated(const std::string& path) {
  std::array<char, 8> value{};
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    if (::getxattr(path.c_str(), name, value.data(), value.size()) == 1 && value[0] == '1')
      return true;
  }
  return false;
}

Result<std::vector<std::string>> words_of(const Cgroup& cgroup, const char* file) {
  EMUD_ASSIGN(const std::string text, read_file(cgroup.fd(), file));
  std::istringstream words{text};
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(word);
  return result;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  for (const auto& each : words) {
    if (each == word) return true;
  }
  return false;
}

// Those that are there and not handed down (hand_down), or the other way round.
Result<std::string> change(const Cgroup& cgroup, bool hand_down) {
  EMUD_ASSIGN(const auto there, words_of(cgroup, "cgroup.controllers"));
  EMUD_ASSIGN(const auto handed, words_of(cgroup, "cgroup.subtree_control"));
  std::string text;
  for (const auto name : wanted) {
    if (!contains(there, name) || contains(handed, name) == hand_down) continue;
    if (!text.empty()) text += ' ';
    text += hand_down ? '+' : '-';
    text += name;
  }
  return text;
}

// Everybody in `base` goes to its child: emud, its helpers, and keepers of an earlier emud. Who is
// forked meanwhile is there in the next round.
Result<> empty_into(const Cgroup& base, const Cgroup& child) {
  for (int round = 0; round < 100; ++round) {
    EMUD_ASSIGN(const auto pids, words_of(base, "cgroup.procs"));
    if (pids.empty()) return {};
    for (const auto& pid : pids) {
      const auto moved = write_control(child.fd(), "cgroup.procs", pid);
      if (!moved && moved.error().errno_value != ESRCH) return moved;
    }
  }
  return fail(Errc::busy, "move out of", base.path(), "processes keep coming");
}

Result<> apply(const Cgroup& cgroup, bool hand_down) {
  EMUD_ASSIGN(const std::string text, change(cgroup, hand_down));
  if (text.empty()) return {};
  return write_control(cgroup.fd(), "cgroup.subtree_control", text);
}

}  // namespace

bool is_in_daemon_cgroup() {
  const auto text = read_file("/proc/self/cgroup");
  return text && text->ends_with(fmt::format("/{}\n", daemon_cgroup));  // the v2 line is the last
}

Result<> pass_controllers_on(const Cgroup& cgroup) {
  return apply(cgroup, true);
}

Result<bool> enable_controllers(const std::string& base) {
  EMUD_ASSIGN(const Cgroup cgroup, Cgroup::open(base));
  EMUD_ASSIGN(const std::string text, change(cgroup, true));
  if (text.empty()) return true;
  if (!is_delegated(base)) return false;
  EMUD_ASSIGN(const Cgroup child, Cgroup::create(base + "/" + std::string{daemon_cgroup}));
  EMUD_TRY(empty_into(cgroup, child));
  EMUD_TRY(write_control(cgroup.fd(), "cgroup.subtree_control", text));
  return true;
}

bool controllers_hinder_start(const std::string& base) {
  const auto cgroup = Cgroup::open(base);
  if (!cgroup || !is_delegated(base)) return false;
  const auto handed = words_of(*cgroup, "cgroup.subtree_control");
  return handed && !handed->empty();
}

Result<> disable_controllers(const std::string& base) {
  if (!is_delegated(base)) return {};
  EMUD_ASSIGN(const Cgroup cgroup, Cgroup::open(base));
  // From below: the kernel refuses what a child still hands on (EBUSY).
  EMUD_ASSIGN(const auto names, list_directory(cgroup.fd(), "."));
  for (const auto& name : names) {
    if (!name.starts_with(user_cgroup_prefix)) continue;
    const auto user = Cgroup::open(base + "/" + name);
    if (user) EMUD_TRY(apply(*user, false));  // else it has just gone
  }
  return apply(cgroup, false);
}

}  // namespace emud
