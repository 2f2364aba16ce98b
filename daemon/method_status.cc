// io.emud.Manager.GetStatus.
#include <sys/utsname.h>

#include <algorithm>

#include "binfmt/registry.h"
#include "daemon/call.h"
#include "daemon/host_probe.h"
#include "daemon/services.h"
#include "daemon/users.h"
#include "daemon/version.h"
#include "wire/emulators.h"

namespace emud {
namespace {

std::vector<wire::ForeignHandler> foreign_handlers(const std::vector<Entry>& entries,
                                                   const std::vector<wire::Handler>& own,
                                                   const HostHandlers& host) {
  std::vector<wire::ForeignHandler> result;
  for (const Entry& entry : entries) {
    if (std::ranges::find(own, entry.name, &wire::Handler::name) != own.end()) continue;
    wire::ForeignHandler handler{.name = entry.name,
                                 .architecture = {},
                                 .interpreter = entry.interpreter,
                                 .flags = entry.flags,
                                 .enabled = entry.enabled,
                                 .note = {}};
    if (std::string note = host.note_on(entry); !note.empty()) handler.note = std::move(note);
    if (const Architecture* architecture = architecture_of(entry))
      handler.architecture = architecture->name;
    result.push_back(std::move(handler));
  }
  return result;
}

// By the groups his process has, not by the databases: looking must stay cheap, and who was added
// just now sees it after he has logged in again.
bool is_administrator(const PeerCredentials& caller, const std::string& name) {
  const gid_t group = local_group(name);
  return group != static_cast<gid_t>(-1) &&
         (caller.gid == group || std::ranges::find(caller.groups, group) != caller.groups.end());
}

}  // namespace

Task<Result<std::string>> get_status(CallContext& context) {
  Services& services = context.services;
  wire::GetStatusReply reply;
  reply.version = version;
  utsname system{};
  ::uname(&system);
  reply.kernel = system.release;
  reply.architecture = host_architecture().name;
  const auto supported = co_await private_scope_support();
  reply.private_scope = supported.has_value();
  if (!supported) reply.private_reason = supported.error().message();
  reply.handlers = services.host.list();
  // Looking is not using: a host without a mounted binfmt_misc stays as it is.
  const auto registry = Registry::look_at_host();
  reply.host_scope = registry.has_value() || registry.error().code == Errc::not_found;
  if (!registry) reply.host_reason = registry.error().message();
  if (registry) {
    if (const auto entries = registry->list())
      reply.foreign = foreign_handlers(*entries, reply.handlers, services.host);
    if (const auto is_on = registry->is_on(); is_on && !*is_on) {
      reply.host_scope = false;
      reply.host_reason = "binfmt_misc as a whole is switched off (its `status` says so)";
    }
  }
  reply.leases = services.leases.list();
  const PeerCredentials& caller = context.caller.peer();
  const bool sees_all = caller.uid == 0 || is_administrator(caller, services.options.group);
  for (auto& lease : reply.leases) {
    if (const auto known = services.leases.find(lease.id)) {
      const LeaseUsage usage = services.usages.of(known->record);
      lease.processes = usage.processes;
      lease.cpu_time = usage.cpu_time;
      lease.memory = usage.memory;
    }
    lease.user = display_name(static_cast<uid_t>(lease.uid));
    if (!sees_all && lease.uid != caller.uid) lease.purpose.reset();
  }
  if (const auto manifests = services.emulators.list()) {
    for (const auto& manifest : *manifests) {
      reply.emulators.push_back(wire::as_message(manifest));
    }
  }
  reply.policy = {
      .group = services.options.group,
      .private_for_everyone = services.options.private_access == PrivateAccess::everyone,
      .fetch = services.options.fetch};
  co_return wire::to_json(reply);
}

}  // namespace emud
