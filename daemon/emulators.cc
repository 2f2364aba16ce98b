#include "daemon/emulators.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "emulator/fingerprint.h"
#include "emulator/unfetched.h"
#include "wire/emulators.h"

namespace emud {
namespace {

constexpr std::size_t digest_size = 64;  // hexadecimal digits

std::string key_of(const Architecture& architecture, std::string_view version) {
  return fmt::format("{} {}", architecture.name, version);
}

// One digest a line, as a worker reports the emulators it found.
std::string digests_of(const std::vector<Manifest>& manifests) {
  std::string text;
  for (const Manifest& manifest : manifests) text += manifest.digest + '\n';
  return text;
}

// The same with what else is known: a digest, '?' where it may be bettered, else '=', and a note.
std::string lines_about(const std::vector<Acquired>& emulators) {
  std::string text;
  for (const Acquired& one : emulators) {
    std::string note = one.note;
    std::ranges::replace(note, '\n', ' ');
    text += fmt::format("{}{}{}\n", one.manifest.digest, one.may_be_bettered ? '?' : '=', note);
  }
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    lines.emplace_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
  }
  return lines;
}

std::string key_of(std::string_view what, std::vector<const Architecture*> architectures,
                   std::string_view version) {
  std::ranges::sort(architectures);
  std::string key = fmt::format("{} {}", what, version);
  for (const Architecture* architecture : architectures)
    key += fmt::format(" {}", architecture->name);
  return key;
}

}  // namespace

FetchOptions fetch_options(const Options& options) {
  return {.mirrors = options.mirrors,
          .proxy = {.url = options.proxy, .except = options.no_proxy},
          .patience = std::chrono::seconds{options.patience_seconds}};
}

std::string as_report(const InstallProgress& progress) {
  return wire::to_json(wire::as_message(progress));
}

Result<std::shared_ptr<const Catalog>> Emulators::catalog() {
  std::string state = catalog_state(options_.paths);
  if (state != catalog_state_) {
    auto loaded = Catalog::load(options_.paths);
    catalog_error_.reset();
    if (!loaded) {
      catalog_error_ = loaded.error();
      log(*catalog_error_);
    }
    catalog_ = std::make_shared<const Catalog>(loaded ? *std::move(loaded) : Catalog{});
    catalog_state_ = std::move(state);
  }
  if (catalog_error_) return std::unexpected(*catalog_error_);
  return catalog_;
}

std::shared_ptr<const Catalog> Emulators::catalog_or_none() {
  (void)catalog();
  return catalog_;
}

void Emulators::add_notes(std::vector<std::string>& notes, const Architecture& architecture,
                          const UsedEmulator& used, const std::string& version) {
  std::ranges::move(catalog_or_none()->warnings_about(architecture, used.version),
                    std::back_inserter(notes));
  const auto known = prepared_.find(key_of(architecture, version));
  if (known == prepared_.end() || known->second.note.empty()) return;
  if (known->second.digest == used.digest) notes.push_back(known->second.note);
}

bool Emulators::would_fetch(const CatalogPackage& package) const {
  return options_.fetch && !UnfetchedPackages{options_.paths}.recall(package);
}

std::string Emulators::fingerprint(const Architecture& architecture) const {
  return fmt::format("{} {}", installed_state(options_.paths, architecture), catalog_state_);
}

bool Emulators::is_prepared(const Architecture& architecture, const std::string& version,
                            bool fetches) const {
  const auto known = prepared_.find(key_of(architecture, version));
  return known != prepared_.end() && known->second.fingerprint == fingerprint(architecture) &&
         !(fetches && known->second.may_be_bettered);
}

Task<Result<void>> Emulators::prepare(std::vector<const Architecture*> architectures,
                                      std::string version, bool may_fetch,
                                      const ReportListener& listener) {
  const auto known = catalog_or_none();
  const bool fetches = may_fetch && options_.fetch;
  std::erase_if(architectures, [&](const Architecture* architecture) {
    return is_prepared(*architecture, version, fetches);
  });
  if (architectures.empty()) co_return Result<void>{};
  // By value: it may outlive this call, which others share.
  const EmulatorWish wish{version, options_.default_emulator};
  ReportingWork work = [=, this](const Report& report) -> Result<std::string> {
    Acquisition acquisition{.store = store_, .catalog = *known, .wish = wish};
    if (fetches) {
      FetchOptions fetching = fetch_options(options_);
      acquisition.fetch = package_fetcher(store_, fetching);
      fetching.is_optional = true;
      acquisition.fetch_better = package_fetcher(store_, std::move(fetching));
    }
    acquisition.progress = [&report](const InstallProgress& progress) {
      report(as_report(progress));
    };
    EMUD_ASSIGN(const auto acquired, acquire_emulators(acquisition, architectures));
    return lines_about(acquired);
  };
  std::string key = key_of(fetches ? "fetch" : "look", architectures, version);
  const auto done = co_await jobs_.run(std::move(key), std::move(work), listener);
  if (!done) co_return std::unexpected(done.error());
  const auto lines = lines_of(*done);
  for (std::size_t i = 0; i < architectures.size() && i < lines.size(); ++i) {
    Prepared& prepared = prepared_[key_of(*architectures[i], version)];
    prepared.fingerprint = fingerprint(*architectures[i]);
    prepared.digest = lines[i].substr(0, digest_size);
    prepared.may_be_bettered = lines[i].at(digest_size) == '?';
    prepared.note = lines[i].substr(digest_size + 1);
  }
  co_return Result<void>{};
}

Task<Result<VerifiedEmulator>> Emulators::get(const Architecture& architecture,
                                              std::string version) {
  std::vector<const Architecture*> wanted(1, &architecture);
  const ReportListener nobody;
  const auto ready = co_await prepare(std::move(wanted), version, false, nobody);
  if (!ready) co_return std::unexpected(ready.error());
  const auto known = prepared_.find(key_of(architecture, version));
  if (known == prepared_.end()) co_return store_.find(architecture, version);
  co_return get_by_digest(known->second.digest);  // verified a moment ago, and remembered
}

Result<VerifiedEmulator> Emulators::get_by_digest(const std::string& digest) {
  if (const auto known = remembered_.find(digest); known != remembered_.end()) {
    if (auto emulator = known->second.open()) return *std::move(emulator);
    remembered_.erase(known);
  }
  EMUD_ASSIGN(VerifiedEmulator emulator, store_.get(digest));
  remembered_.emplace(digest, emulator);
  return emulator;
}

Task<Result<std::vector<Manifest>>> Emulators::install(
    std::vector<const Architecture*> architectures, std::string version,
    const ReportListener& listener) {
  const auto known = catalog();
  if (!known) co_return std::unexpected(known.error());
  std::vector<CatalogEntry> entries;
  for (const Architecture* architecture : architectures) {
    const std::string& wanted = version.empty() ? options_.default_emulator : version;
    const auto entry = (*known)->find(*architecture, wanted);
    if (!entry) co_return std::unexpected(entry.error());
    entries.push_back(*entry);
  }
  ReportingWork work = [=, this, catalog = *known](const Report& report) -> Result<std::string> {
    const InstallProgressSink sink = [&report](const InstallProgress& progress) {
      report(as_report(progress));
    };
    EMUD_ASSIGN(const auto manifests,
                install_from_catalog(store_, entries,
                                     package_fetcher(store_, fetch_options(options_)), sink));
    return digests_of(manifests);
  };
  std::string key = key_of("install", architectures, version);
  const auto done = co_await jobs_.run(std::move(key), std::move(work), listener);
  if (!done) co_return std::unexpected(done.error());
  std::vector<Manifest> manifests;
  for (const std::string& digest : lines_of(*done)) {
    auto emulator = store_.get(digest);
    if (!emulator) co_return std::unexpected(emulator.error());
    manifests.push_back(emulator->manifest());
  }
  co_return manifests;
}

}  // namespace emud
