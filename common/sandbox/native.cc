#include "sandbox/native.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "binfmt/registry.h"
#include "sandbox/namespaces.h"
#include "sandbox/probe.h"
#include "sandbox/process.h"

namespace emud {
namespace {

Result<> probe_in_empty_scope(const Architecture& architecture, uid_t uid, gid_t gid) {
  EMUD_TRY(unshare_namespaces(CLONE_NEWUSER | CLONE_NEWNS, "a user namespace"));
  EMUD_TRY(map_self(0, uid, 0, gid));
  [[maybe_unused]] const auto hides_host_handlers = Registry::mount_private();
  Identity mapped;
  mapped.keep_groups = true;
  EMUD_ASSIGN(const ProbeReport report, probe(architecture, mapped));
  return require_ready(report, architecture);
}

}  // namespace

Native known_native(const Architecture& architecture) {
  const Architecture& host = host_architecture();
  if (architecture.name == host.name) return Native::yes;
  const auto candidates = native_candidates(host);
  return std::ranges::find(candidates, architecture.name) == candidates.end() ? Native::no
                                                                              : Native::ask_probe;
}

bool runs_natively(const Architecture& architecture) {
  if (const Native known = known_native(architecture); known != Native::ask_probe)
    return known == Native::yes;
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  auto child = clone_child();
  if (!child) return false;
  if (!*child) ::_exit(probe_in_empty_scope(architecture, uid, gid) ? 0 : 1);
  const auto status = child->wait();
  return status && status->signal == 0 && status->code == 0;
}

}  // namespace emud
