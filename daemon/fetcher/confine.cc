#include "daemon/fetcher/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

#include "daemon/fetcher/landlock.h"
#include "daemon/fetcher/syscall_filter.h"
#include "emulator/fetcher.h"

namespace emud::fetcher {
namespace {

#ifdef __SANITIZE_ADDRESS__
// The sanitizers' shadow memory takes terabytes, and they test addresses by means of a pipe.
constexpr rlim_t address_space = RLIM_INFINITY;
constexpr rlim_t descriptors = RLIM_INFINITY;
#else
constexpr rlim_t address_space = rlim_t{512} << 20;
constexpr rlim_t descriptors = 0;
#endif
constexpr rlim_t download_descriptors = 64;

// getaddrinfo(3) and what it loads: resolv.conf(5), hosts(5), host.conf(5), nsswitch.conf(5),
// gai.conf(5), services(5). The modules that nsswitch.conf names are shared libraries.
constexpr const char* readable_for_names[] = {
    "/etc/resolv.conf", "/etc/hosts",    "/etc/host.conf",   "/etc/nsswitch.conf",
    "/etc/gai.conf",    "/etc/services", "/etc/ld.so.cache", "/lib",
    "/lib64",           "/usr/lib",      "/usr/lib64",       "/nix/store"};

Result<> lower_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return fail_errno("read", "a resource limit");
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  if (::setrlimit(resource, &limit) != 0) return fail_errno("lower", "a resource limit");
  return {};
}

Result<> confine_any() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("set", "no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbid", "tracing");
  EMUD_TRY(lower_limit(RLIMIT_CORE, 0));
  EMUD_TRY(lower_limit(RLIMIT_AS, address_space));
  return {};
}

}  // namespace

Result<> confine_unpacking() {
  EMUD_TRY(confine_any());
  EMUD_TRY(enter_landlock({}, Network::none));
  EMUD_TRY(lower_limit(RLIMIT_FSIZE, max_member_size));
  EMUD_TRY(lower_limit(RLIMIT_NPROC, 0));
  EMUD_TRY(lower_limit(RLIMIT_NOFILE, descriptors));
  return filter_system_calls(Allowance::nothing);
}

Result<> confine_downloading(std::uint64_t max_file_size) {
  EMUD_TRY(confine_any());
  EMUD_TRY(enter_landlock(readable_for_names, Network::client));
  EMUD_TRY(lower_limit(RLIMIT_FSIZE, max_file_size));
  EMUD_TRY(lower_limit(RLIMIT_NOFILE, download_descriptors));
  return filter_system_calls(Allowance::networking);
}

}  // namespace emud::fetcher
