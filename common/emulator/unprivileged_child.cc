#include "emulator/unprivileged_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "base/file.h"

namespace emud {
namespace {

// nobody and nogroup, also where no password file names them.
constexpr unsigned overflow_id = 65534;

// An empty bounding set cannot be regained. Without CAP_SETPCAP it stays as it is, which does no
// harm: with no_new_privs no execve(2) gains from it.
void drop_bounding_set() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return;
  }
}

bool drop_capabilities() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

void reset_signals() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool lower_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  return ::setrlimit(resource, &limit) == 0;
}

// Whether root is the only user there is: the one who made this user namespace, with his rights
// outside (user_namespaces(7)), and there is nobody to become.
bool is_only_user() {
  const auto map = read_file("/proc/self/uid_map");
  std::istringstream extents{map.value_or("")};
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  extents >> inside >> outside >> count;
  return count == 1 && !(extents >> inside);
}

}  // namespace

std::string_view step_name(StartStep step) {
  switch (step) {
    case StartStep::descriptors:
      return "arrange its descriptors";
    case StartStep::directory:
      return "change to /";
    case StartStep::groups:
      return "drop supplementary groups";
    case StartStep::user:
      return "become an unprivileged user";
    case StartStep::capabilities:
      return "drop capabilities";
    case StartStep::no_new_privileges:
      return "set no_new_privs";
    case StartStep::parent:
      return "outlive the process that started it";
    case StartStep::limits:
      return "set resource limits";
    case StartStep::execute:
      return "execute it";
  }
  return "start";
}

std::string_view start_hint(const StartFailure& failure) {
  switch (failure.step) {
    case StartStep::groups:
    case StartStep::user:
      return "Run emud as root of the initial user namespace or of one that maps user and group "
             "65534";
    case StartStep::execute:
      if (failure.errno_value == EACCES) {
        return "Put the store on a filesystem that is not mounted noexec";
      }
      return {};
    default:
      return {};
  }
}

ChildPlan::ChildPlan(const UnprivilegedProgram& program, const std::array<int, 3>& standard,
                     int report)
    : program_(program),
      descriptors_(standard.begin(), standard.end()),
      change_user_(::geteuid() == 0 && !is_only_user()),
      user_(overflow_id),
      group_(overflow_id) {
  descriptors_.insert(descriptors_.end(), program.descriptors.begin(), program.descriptors.end());
  descriptors_.push_back(program.program);
  descriptors_.push_back(report);
  for (const std::string& argument : program.arguments) arguments_.push_back(argument.c_str());
  arguments_.push_back(nullptr);
  for (const std::string& variable : program.environment) environment_.push_back(variable.c_str());
  environment_.push_back(nullptr);
  if (!change_user_) return;
  for (const char* name : {"emud", "nobody"}) {
    if (take_account(name)) return;
  }
}

// From the file and not with getpwnam(3), whose modules the static emuctl would have to load: both
// are local accounts.
bool ChildPlan::take_account(std::string_view name) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen("/etc/passwd", "re"),
                                                             std::fclose};
  while (const passwd* account = file ? ::fgetpwent(file.get()) : nullptr) {
    if (account->pw_name != name || account->pw_uid == 0 || account->pw_gid == 0) continue;
    user_ = account->pw_uid;
    group_ = account->pw_gid;
    return true;
  }
  return false;
}

void ChildPlan::give_up(StartStep step) const {
  const StartFailure failure{step, errno};
  [[maybe_unused]] const ssize_t count =
      ::write(descriptors_.back(), &failure, sizeof failure);  // the parent sees the pipe's end
  ::_exit(127);
}

// First out of the way of the new numbers, then to them: neither step overwrites one still needed.
bool ChildPlan::place_descriptors() {
  const int count = static_cast<int>(descriptors_.size());
  for (int& fd : descriptors_) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, count);
    if (copy < 0) return false;
    fd = copy;
  }
  for (int number = 0; number < count; ++number) {
    const bool is_own = number >= count - 2;  // program and report close when the program starts
    int& fd = descriptors_[static_cast<std::size_t>(number)];
    if (::dup3(fd, number, is_own ? O_CLOEXEC : 0) < 0) return false;
    fd = number;
  }
  ::closefrom(count);
  return true;
}

bool ChildPlan::lower_limits() const {
  return lower_limit(RLIMIT_CORE, 0) && lower_limit(RLIMIT_CPU, program_.cpu_seconds) &&
         lower_limit(RLIMIT_AS, program_.address_space) &&
         lower_limit(RLIMIT_DATA, program_.data) && lower_limit(RLIMIT_FSIZE, program_.file_size) &&
         (!change_user_ || lower_limit(RLIMIT_NPROC, program_.processes));
}

void ChildPlan::run(int parent) {
  reset_signals();
  if (!place_descriptors()) give_up(StartStep::descriptors);
  ::setsid();
  ::umask(077);
  if (::chdir("/") != 0) give_up(StartStep::directory);
  drop_bounding_set();
  if (change_user_) {
    if (::setgroups(0, nullptr) != 0) give_up(StartStep::groups);
    if (::setresgid(group_, group_, group_) != 0) give_up(StartStep::user);
    if (::setresuid(user_, user_, user_) != 0) give_up(StartStep::user);
  }
  if (!drop_capabilities()) give_up(StartStep::capabilities);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(StartStep::no_new_privileges);
  // A change of the user clears it (prctl(2)), so it comes after that.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(StartStep::parent);
  if (::getppid() != parent) {
    errno = ESRCH;
    give_up(StartStep::parent);
  }
  if (!lower_limits()) give_up(StartStep::limits);
  ::syscall(SYS_execveat, descriptors_[descriptors_.size() - 2], "", arguments_.data(),
            environment_.data(), AT_EMPTY_PATH);
  give_up(StartStep::execute);
}

}  // namespace emud
