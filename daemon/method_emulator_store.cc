// io.emud.Manager.RemoveEmulator, VerifyEmulators, PruneEmulators and ListEmulators.
#include <fmt/format.h>

#include "base/log.h"
#include "daemon/call.h"
#include "daemon/services.h"
#include "daemon/sweep.h"
#include "daemon/worker.h"
#include "emulator/listing.h"
#include "wire/emulators.h"

namespace emud {
namespace {

// Who uses an emulator: "lease f3a1", "pin emud-aarch64", or "handler emud-aarch64" for one of the
// host scope that is there without anybody who holds it (now, or not yet).
std::vector<std::string> users_of(const Services& services, std::string_view digest) {
  std::vector<std::string> users;
  for (const auto& lease : services.leases.users_of(digest)) users.push_back("lease " + lease);
  for (const auto& handler : services.host.list()) {
    if (handler.digest != digest) continue;
    if (handler.pinned) {
      users.push_back("pin " + handler.name);
    } else if (handler.leases == 0) {
      users.push_back("handler " + handler.name);
    }
  }
  return users;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

Task<Result<std::string>> remove_emulator(CallContext& context) {
  Services& services = context.services;
  const auto request = wire::from_json<wire::RemoveEmulatorCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  auto digests = request->more.value_or(std::vector<std::string>{});
  digests.insert(digests.begin(), request->digest);
  for (std::string& text : digests) {
    const auto digest = Digest::parse(text);
    if (!digest) co_return std::unexpected(digest.error());
    text = digest->hex();
    const auto users = users_of(services, text);
    if (users.empty()) continue;
    co_return fail(Errc::busy, "remove emulator", text, fmt::format("in use by {}", joined(users)),
                   "Wait until the leases have ended, or end them; `emuctl unregister` ends a "
                   "registration");
  }
  // At once, so that no lease begins to use one in between; the files may take longer.
  const auto taken = services.emulators.store().take_out(digests);
  if (!taken) co_return std::unexpected(taken.error());
  const auto swept = co_await sweep(services, Sweep::idle);
  if (!swept) co_return std::unexpected(swept.error());
  co_return std::string{"{}"};
}

Task<Result<std::string>> verify_emulators(CallContext& context) {
  Services& services = context.services;
  const Store& store = services.emulators.store();
  Work work = [&store]() -> Result<std::string> {
    EMUD_ASSIGN(const auto checked, store.verify());
    wire::VerifyEmulatorsReply reply;
    for (const auto& one : checked) reply.emulators.push_back(wire::as_message(one));
    return wire::to_json(reply);
  };
  const auto done = co_await run_worker(std::move(work));
  if (!done) co_return std::unexpected(done.error());
  auto reply = wire::from_json<wire::VerifyEmulatorsReply>(*done);
  if (!reply) co_return std::unexpected(reply.error());
  for (auto& one : reply->emulators) {
    one.used_by = users_of(services, one.digest);
    if (one.problem) {
      log(Level::error, fmt::format("emulator {} was moved to {}: {}", one.digest,
                                    one.moved_to.value_or("nowhere"), *one.problem));
    }
  }
  co_return wire::to_json(*reply);
}

Task<Result<std::string>> prune_emulators(CallContext& context) {
  Services& services = context.services;
  const auto catalog = services.emulators.catalog();
  if (!catalog) co_return std::unexpected(catalog.error());
  const auto installed = services.emulators.list();
  if (!installed) co_return std::unexpected(installed.error());
  auto keep = default_digests(*installed, **catalog, services.options.default_emulator);
  for (const Manifest& manifest : *installed) {
    if (!users_of(services, manifest.digest).empty()) keep.push_back(manifest.digest);
  }
  const auto removed = services.emulators.store().take_out_all_but(keep);
  if (!removed) co_return std::unexpected(removed.error());
  const auto swept = co_await sweep(services, Sweep::idle);
  if (!swept) co_return std::unexpected(swept.error());
  wire::PruneEmulatorsReply reply;
  for (const Manifest& manifest : *removed) {
    reply.removed.push_back(wire::as_message(manifest));
  }
  co_return wire::to_json(reply);
}

Task<Result<std::string>> list_emulators(CallContext& context) {
  Services& services = context.services;
  const auto catalog = services.emulators.catalog();
  if (!catalog) co_return std::unexpected(catalog.error());
  const auto installed = services.emulators.list();
  if (!installed) co_return std::unexpected(installed.error());
  wire::ListEmulatorsReply reply;
  const MayFetch may_fetch = [&services](const CatalogPackage& package) {
    return services.emulators.would_fetch(package);
  };
  auto holders = services.emulators.store().holders();
  for (auto& one :
       list_emulators(*installed, **catalog, services.options.default_emulator, may_fetch)) {
    reply.emulators.push_back(wire::as_message(one));
    auto& users = reply.emulators.back().used_by;
    users = users_of(services, one.digest);
    for (std::string& lease : holders[one.digest]) users.push_back(std::move(lease));
  }
  co_return wire::to_json(reply);
}

}  // namespace emud
