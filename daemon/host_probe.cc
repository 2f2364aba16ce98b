#include "daemon/host_probe.h"

#include <sched.h>

#include <map>
#include <optional>

#include "binfmt/registry.h"
#include "daemon/worker.h"
#include "sandbox/namespaces.h"
#include "sandbox/native.h"
#include "sandbox/probe.h"

namespace emud {
namespace {

// A probe program needs no right at all: user and group `nobody` by number, as Debian has it.
Identity nobody() {
  Identity identity;
  identity.uid = 65534;
  identity.gid = 65534;
  return identity;
}

Result<> enter_empty_private_scope() {
  EMUD_TRY(unshare_namespaces(CLONE_NEWUSER | CLONE_NEWNS, "a user namespace"));
  EMUD_TRY(Registry::mount_private());
  return {};
}

}  // namespace

Task<Result<void>> probe_on_host(const Architecture& architecture) {
  Work work = [&architecture]() -> Result<std::string> {
    EMUD_ASSIGN(const ProbeReport report, probe(architecture, nobody()));
    EMUD_TRY(require_ready(report, architecture));
    return std::string{};
  };
  const auto done = co_await run_worker(std::move(work));
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>{};
}

Task<bool> is_native(const Architecture& architecture) {
  if (const Native known = known_native(architecture); known != Native::ask_probe)
    co_return known == Native::yes;
  static std::map<std::string_view, bool> found;
  if (const auto known = found.find(architecture.name); known != found.end())
    co_return known->second;
  Work work = [&architecture]() -> Result<std::string> {
    return runs_natively(architecture) ? "yes" : "no";
  };
  const auto done = co_await run_worker(std::move(work));
  co_return found[architecture.name] = done && *done == "yes";
}

Task<Result<void>> private_scope_support() {
  static std::optional<Result<void>> known;
  if (!known) {
    Work work = []() -> Result<std::string> {
      EMUD_TRY(enter_empty_private_scope());
      return std::string{};
    };
    const auto done = co_await run_worker(std::move(work));
    known = done ? Result<void>{} : Result<void>{std::unexpected(done.error())};
  }
  co_return *known;
}

}  // namespace emud
