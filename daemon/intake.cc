#include "daemon/intake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "sandbox/process.h"

namespace emud {

// emud's mount table, read when it is first asked and then the same for all it is asked about,
// which are descriptors that stay open meanwhile.
class MountTable {
 public:
  // The file system's type as /proc/self/mountinfo names it; empty for a mount that is not there.
  const std::string& file_system_of(int fd) {
    const auto [known, is_new] = types_.try_emplace(fd);
    if (is_new) known->second = look_up(fd);
    return known->second;
  }

 private:
  static constexpr std::size_t mountinfo_limit = 16 << 20;
  std::optional<Result<std::string>> mounts_;
  std::map<int, std::string> types_;

  // proc(5): `mnt_id` of /proc/pid/fdinfo begins the mount's line, whose type follows the dash.
  std::string look_up(int fd) {
    const auto info = read_file(fmt::format("/proc/self/fdinfo/{}", fd));
    if (!mounts_) mounts_ = read_file("/proc/self/mountinfo", mountinfo_limit);
    if (!info || !*mounts_) return {};
    const std::string_view id = word_after(*info, "mnt_id:\t");
    std::string_view lines{**mounts_};
    while (!id.empty() && !lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      if (line.starts_with(id) && line.substr(id.size()).starts_with(' '))
        return std::string{word_after(line, " - ")};
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    }
    return {};
  }

  // Up to the next white space; empty where `before` is not in the text.
  static std::string_view word_after(std::string_view text, std::string_view before) {
    const auto at = text.find(before);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + before.size());
    return text.substr(0, text.find_first_of(" \n"));
  }
};

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;                 // with a close that waits
constexpr std::size_t most_being_closed = 16;  // of one user

template <std::size_t size>
bool contains(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_remote(std::string_view type) {
  constexpr std::array<std::string_view, 10> names{"nfs", "nfs4", "cifs", "smb3",   "smbfs",
                                                   "9p",  "ceph", "afs",  "lustre", "coda"};
  return contains(names, type);
}

// No block device is behind them, and no server.
bool is_virtual(std::string_view type) {
  constexpr std::array<std::string_view, 13> names{
      "tmpfs", "overlay",  "btrfs",   "zfs",    "bcachefs",   "proc",   "sysfs",
      "ramfs", "devtmpfs", "cgroup2", "rootfs", "securityfs", "debugfs"};
  return contains(names, type);
}

bool lingers(int fd) {
  linger value{};
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &size) == 0 && value.l_onoff != 0;
}

// FUSE answers from what it knows (AT_STATX_DONT_SYNC) and does not ask its server.
bool look_at(int fd, struct statx& info) {
  return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) == 0;
}

bool is_socket(int fd) {
  struct statx info{};
  return look_at(fd, info) && S_ISSOCK(info.stx_mode);
}

bool is_file(const struct statx& info) {
  return S_ISREG(info.stx_mode) || S_ISDIR(info.stx_mode) || S_ISLNK(info.stx_mode);
}

void become_closer() {
  ::prctl(PR_SET_NAME, "emud-closer");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// For descriptors whose last close(2) may wait. A process that has them as well and ends once emud
// has closed its own: a process that ends does not linger (PF_EXITING, net/ipv4/af_inet.c,
// inet_release), and what is queued in a socket ends with it.
Result<Child> leave_to_child(std::vector<UniqueFd>& fds) {
  EMUD_ASSIGN(auto gate, make_pipe());
  EMUD_ASSIGN(Child closer, clone_child());
  if (!closer) {
    become_closer();
    gate.second.reset();
    char byte = 0;
    while (::read(gate.first.get(), &byte, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }
  fds.clear();
  return closer;
}

// For files of which every close(2) may wait. A process that shares emud's table of descriptors
// (CLONE_FILES, clone(2)) and nothing else: its close(2) takes the descriptor out of the table at
// once and then waits where emud need not. Not for those above: in a shared table every system call
// on a descriptor holds its file (fdget, fs/file.c), and emud's look here could let go last.
Result<Child> close_in_child(UniqueFd& fd) {
  EMUD_ASSIGN(Child closer, clone_child({.flags = CLONE_FILES, .cgroup = -1}));
  if (!closer) {
    become_closer();
    ::close(fd.get());
    ::_exit(0);
  }
  const int theirs = fd.release();
  for (int turn = 0; turn < 1000 && ::fcntl(theirs, F_GETFD) >= 0; ++turn) ::sched_yield();
  return closer;
}

std::string why_it_may_block(int fd, MountTable& mounts) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return "no open descriptor";
  if ((flags & O_PATH) != 0) return {};  // close(2) does not flush it: open(2)
  struct statx info{};
  if (!look_at(fd, info)) return "a file that cannot be looked at";
  if (S_ISSOCK(info.stx_mode)) return lingers(fd) ? "a socket with SO_LINGER" : "";
  if (!is_file(info)) return {};
  const std::string type = mounts.file_system_of(fd);
  if (type.starts_with("fuse")) return "a file of a FUSE file system";
  if (is_remote(type) && (flags & O_ACCMODE) != O_RDONLY)
    return fmt::format("a file of a network file system ({}), open for writing", type);
  if (!type.empty() || info.stx_dev_major != 0) return {};
  // Files that are in no file system, as those of memfd_create(2), belong to the kernel's own
  // instance of tmpfs, which no mount table shows.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 ? "" : "a file of a file system that is not mounted here";
}

bool is_closed_at_once(int fd, MountTable& mounts) {
  struct statx info{};
  if (!look_at(fd, info)) return false;
  if (S_ISFIFO(info.stx_mode) || S_ISCHR(info.stx_mode)) return true;
  if (!is_file(info)) return false;
  const bool is_path = (::fcntl(fd, F_GETFL) & O_PATH) != 0;
  // Only root mounts what has a device (FS_USERNS_MOUNT), so that the mount of a mere path of it
  // stays.
  if (is_path && info.stx_dev_major != 0) return true;
  const std::string type = mounts.file_system_of(fd);
  if (is_virtual(type)) return true;
  return info.stx_dev_major != 0 && !type.empty() && !type.starts_with("fuse");
}

}  // namespace

std::string why_it_may_block(int fd) {
  MountTable mounts;
  return why_it_may_block(fd, mounts);
}

bool is_closed_at_once(int fd) {
  MountTable mounts;
  return is_closed_at_once(fd, mounts);
}

Intake::Intake(const asio::any_io_executor& executor, std::size_t bytes, std::size_t descriptors)
    : executor_(executor), bytes_(bytes), descriptors_(descriptors) {}

Intake::Held Intake::settle(Account& account, std::size_t bytes, std::size_t descriptors) {
  Held& held = held_[account.user_];
  held.bytes += bytes - account.bytes_;
  held.descriptors += descriptors - account.descriptors_;
  account.bytes_ = bytes;
  account.descriptors_ = descriptors;
  const Held result = held;
  if (held.bytes == 0 && held.descriptors == 0) held_.erase(account.user_);
  return result;
}

Result<> Intake::Account::admit(std::size_t bytes, std::size_t descriptors,
                                std::vector<UniqueFd>& received) {
  EMUD_TRY(intake_.may_connect(user_));
  if (descriptors == 0 && !is_busy_) let_go();
  MountTable mounts;
  std::string reason;
  for (auto& fd : received) {
    auto why = why_it_may_block(fd.get(), mounts);
    if (why.empty()) continue;
    reason = std::move(why);
    intake_.close_elsewhere(std::move(fd), user_);
  }
  const bool all_taken = take(received, mounts);
  if (!reason.empty()) {
    return fail(Errc::invalid_argument, "take", "a descriptor",
                fmt::format("it is {}, and emud would have to wait when it closes it", reason),
                "Pass a pipe instead (`| cat >FILE`), or use `emuctl run --rootless`");
  }
  if (!all_taken) {
    return fail(Errc::limit_exceeded, "take", "a descriptor", "emud has no descriptor left",
                "Raise LimitNOFILE of emud.service");
  }
  const Held held = intake_.settle(*this, bytes, descriptors + seconds_.size());
  if (held.bytes <= intake_.bytes_ && held.descriptors <= intake_.descriptors_) return {};
  return fail(
      Errc::limit_exceeded, "receive", "a message",
      fmt::format("user {}'s unanswered messages hold {} bytes and {} descriptors; {} and "
                  "{} are allowed",
                  user_, held.bytes, held.descriptors, intake_.bytes_, intake_.descriptors_),
      held.bytes > intake_.bytes_
          ? "Wait for the answers, or raise max-message-memory-per-user in the configuration of "
            "emud"
          : "Wait for the answers before sending more descriptors; this limit is fixed");
}

// A second descriptor of each that is not closed at once. What cannot have one is closed elsewhere.
bool Intake::Account::take(std::vector<UniqueFd>& received, MountTable& mounts) {
  bool all = true;
  for (auto& fd : received) {
    if (!fd || is_closed_at_once(fd.get(), mounts)) continue;
    if (auto second = fd.duplicate()) {
      seconds_.push_back(*std::move(second));
      continue;
    }
    intake_.close_elsewhere(std::move(fd), user_);
    all = false;
  }
  return all;
}

void Intake::Account::let_go() {
  if (!seconds_.empty()) intake_.close_by_exit(std::exchange(seconds_, {}), user_);
}

Result<> Intake::may_connect(uid_t user) const {
  const auto waiting = to_close_.find(user);
  if (waiting != to_close_.end() && waiting->second.size() >= descriptors_) {
    return fail(Errc::limit_exceeded, "serve", fmt::format("user {}", user),
                fmt::format("{} descriptors he passed wait to be closed", waiting->second.size()),
                "Try again in a moment");
  }
  const auto found = being_closed_.find(user);
  if (found == being_closed_.end() || found->second < most_being_closed) return {};
  return fail(Errc::limit_exceeded, "serve", fmt::format("user {}", user),
              fmt::format("{} descriptors he passed cannot be closed yet: whoever serves their "
                          "files does not answer",
                          found->second),
              "Let the FUSE server answer, or end it");
}

void Intake::close(UniqueFd socket, uid_t user) {
  if (!socket) return;
  // The peer cannot queue anything any more (unix_shutdown, net/unix/af_unix.c): what is not there
  // now will not come.
  ::shutdown(socket.get(), SHUT_RDWR);
  int queued = 0;
  int at_urgent_byte = 0;  // which SIOCINQ may leave out (unix_inq_len, the same file)
  if (::ioctl(socket.get(), SIOCINQ, &queued) == 0 && queued == 0 &&
      (::ioctl(socket.get(), SIOCATMARK, &at_urgent_byte) != 0 || at_urgent_byte == 0)) {
    return;
  }
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(socket));
  close_by_exit(std::move(fds), user);
}

// One process of a user's at a time, for all that came meanwhile.
void Intake::close_by_exit(std::vector<UniqueFd> fds, uid_t user) {
  const bool is_at_work = to_close_.contains(user);
  auto& waiting = to_close_[user];
  for (auto& fd : fds) waiting.push_back(std::move(fd));
  if (!is_at_work) spawn(executor_, close_by_exits(user));
}

// One process of the user's at a time.
Task<void> Intake::close_by_exits(uid_t user) {
  asio::steady_timer pause{executor_};
  while (!to_close_[user].empty()) {
    auto closer = leave_to_child(to_close_[user]);
    if (!closer) {  // for want of a descriptor or a process, which others will give back
      log(closer.error());
      pause.expires_after(100ms);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    ++being_closed_[user];
    co_await see_it_end(*std::move(closer), user);
  }
  to_close_.erase(user);
}

// Out of emud's table at once: a keeper cloned while it is there would have it too.
void Intake::close_elsewhere(UniqueFd fd, uid_t user) {
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(fd));
  auto closer = is_socket(fds[0].get()) ? leave_to_child(fds) : close_in_child(fds[0]);
  if (!closer) {
    log(closer.error());
    return;  // closed here, if need be slowly
  }
  ++being_closed_[user];
  spawn(executor_, see_it_end(*std::move(closer), user));
}

// The wait for a FUSE server's answer to FLUSH ends with no signal, only with the server (FR_FORCE,
// fs/fuse/dev.c), which is why they are counted.
Task<void> Intake::see_it_end(Child closer, uid_t user) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer{executor_, patience};
  FdWaiter ended{executor_, closer.pidfd()};
  co_await (ended.readable() || timer.async_wait(asio::use_awaitable));
  closer.signal(SIGKILL);
  co_await wait_for(closer);
  if (--being_closed_[user] == 0) being_closed_.erase(user);
}

}  // namespace emud
