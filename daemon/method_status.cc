// io.emud.Manager.GetStatus.
#include <sys/utsname.h>

#include <algorithm>

#include "binfmt/registry.h"
#include "daemon/call.h"
#include "daemon/host_probe.h"
#include "daemon/services.h"
#include "daemon/version.h"

namespace emud {
namespace {

std::vector<wire::ForeignHandler> foreign_handlers(const std::vector<Entry>& entries,
                                                   const std::vector<wire::Handler>& own) {
  std::vector<wire::ForeignHandler> result;
  for (const Entry& entry : entries) {
    if (std::ranges::find(own, entry.name, &wire::Handler::name) != own.end()) continue;
    wire::ForeignHandler handler{.name = entry.name,
                                 .architecture = {},
                                 .interpreter = entry.interpreter,
                                 .flags = entry.flags,
                                 .enabled = entry.enabled};
    if (const Architecture* architecture = architecture_of(entry))
      handler.architecture = architecture->name;
    result.push_back(std::move(handler));
  }
  return result;
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
      reply.foreign = foreign_handlers(*entries, reply.handlers);
  }
  reply.leases = services.leases.list();
  if (const auto manifests = services.emulators.list()) {
    for (const auto& manifest : *manifests) {
      reply.emulators.push_back({manifest.architecture, manifest.version, manifest.digest,
                                 manifest.source, manifest.installed});
    }
  }
  co_return wire::to_json(reply);
}

}  // namespace emud
