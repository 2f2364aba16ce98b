// io.emud.Manager.InstallEmulator.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/call.h"
#include "daemon/call_progress.h"
#include "daemon/services.h"
#include "daemon/worker.h"
#include "emulator/package.h"
#include "emulator/url_install.h"
#include "wire/emulators.h"

namespace emud {
namespace {

wire::InstallEmulatorReply reply_of(const std::vector<Manifest>& manifests) {
  wire::InstallEmulatorReply reply;
  reply.emulators.emplace();
  for (const auto& manifest : manifests) {
    reply.emulators->push_back(wire::as_message(manifest));
  }
  return reply;
}

Result<std::vector<const Architecture*>> named_architectures(
    const std::vector<std::string>& names) {
  std::vector<const Architecture*> result;
  for (const auto& name : names) {
    EMUD_ASSIGN(const Architecture* architecture, find_architecture(name));
    if (std::ranges::find(result, architecture) == result.end()) result.push_back(architecture);
  }
  return result;
}

// A file or URL of the caller's own, checked as far as words can be.
struct OwnSource {
  int file = -1;
  std::string url;
  std::string name;
  std::optional<Digest> digest;
  const Architecture* wanted = nullptr;
};

Result<OwnSource> own_source(const CallContext& context, const wire::InstallEmulatorCall& request,
                             const std::vector<const Architecture*>& architectures) {
  const std::string name = request.url.value_or(request.name.value_or("a file"));
  if (context.caller.peer().uid != 0) {
    return fail(Errc::permission_denied, "install", name,
                "a file or URL of one's own choice is for root to install",
                "Run it with sudo, or `emuctl emulator install --rootless` for your own store");
  }
  if (request.url && request.file) {
    return fail(Errc::invalid_argument, "install", name, "a file and a URL are named",
                "Name one of them");
  }
  if (request.emulator || architectures.size() > 1) {
    return fail(Errc::invalid_argument, "install", name,
                "of a file or URL at most one architecture is named, and no version",
                "Leave the version out, and name one architecture or none");
  }
  OwnSource source;
  source.name = name;
  EMUD_ASSIGN(source.digest, Digest::parse(request.digest.value_or("")));
  if (!architectures.empty()) source.wanted = architectures.front();
  source.url = request.url.value_or("");
  if (!request.file) return source;
  if (*request.file < 0 || static_cast<std::size_t>(*request.file) >= context.fds.size()) {
    return fail(Errc::invalid_argument, "install", "file", "no such descriptor came with the call");
  }
  source.file = context.fds[static_cast<std::size_t>(*request.file)].get();
  return source;
}

Task<Result<std::string>> install_own_file(CallContext& context, OwnSource source) {
  const Store& store = context.services.emulators.store();
  Work work = [&store, &source]() -> Result<std::string> {
    EMUD_ASSIGN(const auto manifests,
                install_file(store, source.file, source.name, *source.digest, source.wanted));
    return wire::to_json(reply_of(manifests));
  };
  co_return co_await run_worker(std::move(work), source.file);
}

// Clients that want the same at the same time share the work.
Task<Result<std::string>> install_own_url(CallContext& context, OwnSource source) {
  const Store& store = context.services.emulators.store();
  std::string key = fmt::format("url {} {} {}", source.url, source.digest->hex(),
                                source.wanted != nullptr ? source.wanted->name : "all");
  ReportingWork work = [&store, source = std::move(source),
                        fetching = fetch_options(context.services.options)](
                           const Report& report) -> Result<std::string> {
    const InstallProgressSink sink = [&report](const InstallProgress& progress) {
      report(as_report(progress));
    };
    EMUD_ASSIGN(const auto manifests,
                install_url(store, source.url, *source.digest, source.wanted, fetching, sink));
    return wire::to_json(reply_of(manifests));
  };
  const ReportListener listener = progress_listener<wire::InstallEmulatorReply>(context);
  co_return co_await context.services.emulators.share(std::move(key), std::move(work), listener);
}

}  // namespace

Task<Result<std::string>> install_emulator(CallContext& context) {
  const auto request = wire::from_json<wire::InstallEmulatorCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  auto architectures = named_architectures(request->architectures);
  if (!architectures) co_return std::unexpected(architectures.error());
  if (request->file || request->url) {
    auto source = own_source(context, *request, *architectures);
    if (!source) co_return std::unexpected(source.error());
    if (source->url.empty()) co_return co_await install_own_file(context, *std::move(source));
    co_return co_await install_own_url(context, *std::move(source));
  }
  if (architectures->empty()) {
    co_return fail(Errc::invalid_argument, "install", "an emulator", "no architecture is named",
                   "Name at least one; `emuctl emulator list` shows which there are");
  }
  const ReportListener listener = progress_listener<wire::InstallEmulatorReply>(context);
  std::string version = request->emulator.value_or("");
  const auto manifests = co_await context.services.emulators.install(*std::move(architectures),
                                                                     std::move(version), listener);
  if (!manifests) co_return std::unexpected(manifests.error());
  co_return wire::to_json(reply_of(*manifests));
}

}  // namespace emud
