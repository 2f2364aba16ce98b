#include "emulator/acquire.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "emulator/unfetched.h"

namespace emud {
namespace {

// Why nothing can be had without the network.
Failure fetching_is_off(const Architecture& architecture, const CatalogEntry& entry) {
  return fail(Errc::not_found, "find emulator", architecture.name,
              fmt::format("none that serves is installed, and fetching QEMU {} is switched off",
                          entry.package->version),
              fmt::format("Allow it (without --no-fetch), run `emuctl emulator install {}`, or "
                          "install the machine's package qemu-user-static (on newer Debian: "
                          "qemu-user)",
                          architecture.name));
}

Result<std::vector<Choice>> choose_all(const Acquisition& acquisition,
                                       std::span<const Architecture* const> architectures) {
  std::vector<Result<Manifest>> adopted;
  for (const Architecture* architecture : architectures) {
    adopted.push_back(acquisition.store.adopt_machine_emulator(*architecture));
  }
  EMUD_ASSIGN(const auto installed, acquisition.store.list());
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    auto choice =
        choose_emulator(installed, acquisition.catalog, *architectures[i], acquisition.wish);
    const bool is_refused = !adopted[i] && adopted[i].error().code != Errc::not_found;
    if (!choice && is_refused && choice.error().code == Errc::not_found) {
      return std::unexpected(std::move(adopted[i]).error());
    }
    if (!choice) return std::unexpected(std::move(choice).error());
    if (!choice->installed && !acquisition.fetch) {
      if (is_refused) return std::unexpected(std::move(adopted[i]).error());
      return fetching_is_off(*architectures[i], *choice->better);
    }
    choices.push_back(*std::move(choice));
  }
  return choices;
}

// What has to be fetched, and what comes along in the same packages.
std::vector<CatalogEntry> take_needed(std::vector<Choice>& choices) {
  std::vector<CatalogEntry> needed;
  for (const Choice& choice : choices) {
    if (!choice.installed) needed.push_back(*choice.better);
  }
  const std::size_t count = needed.size();
  for (Choice& choice : choices) {
    if (!choice.installed || !choice.better) continue;
    const auto end = needed.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find_if(needed.begin(), end, [&](const CatalogEntry& entry) {
          return entry.package == choice.better->package;
        }) == end) {
      continue;
    }
    needed.push_back(*choice.better);
    choice.installed.reset();
  }
  return needed;
}

// Fetches a package that is better than what is installed. Returns why it cannot be had, or
// nothing.
std::string fetch_better(const Acquisition& acquisition, const std::vector<Choice>& choices,
                         const CatalogPackage& package) {
  const UnfetchedPackages unfetched{acquisition.store.paths()};
  if (auto reason = unfetched.recall(package)) return *std::move(reason);
  std::vector<CatalogEntry> entries;
  for (const Choice& choice : choices) {
    if (choice.better && choice.better->package == &package) entries.push_back(*choice.better);
  }
  const auto installed = install_from_catalog(acquisition.store, entries, acquisition.fetch_better,
                                              acquisition.progress);
  if (installed) return {};
  unfetched.remember(package, installed.error().message());
  return installed.error().message();
}

// Makes each choice one of what is installed, as far as it can; `missed` gets why a package could
// not be fetched.
void fetch_all_better(const Acquisition& acquisition, std::vector<Choice>& choices,
                      std::map<const CatalogPackage*, std::string>& missed) {
  for (const Choice& choice : choices) {
    if (!choice.installed || !choice.better) continue;
    const CatalogPackage* package = choice.better->package;
    if (!missed.contains(package)) {
      missed.emplace(package, fetch_better(acquisition, choices, *package));
    }
  }
  for (Choice& choice : choices) {
    if (choice.installed && choice.better && missed.at(choice.better->package).empty()) {
      choice.installed.reset();
    }
  }
}

std::string missed_note(const CatalogEntry& entry, std::string_view reason) {
  const std::string_view architecture = entry.member->architecture->name;
  return fmt::format(
      "QEMU {} for {}, which has no known problem, is not there: {}. `emuctl emulator install {}` "
      "tries again",
      entry.package->version, architecture, reason, architecture);
}

}  // namespace

Result<std::vector<Acquired>> acquire_emulators(
    const Acquisition& acquisition, std::span<const Architecture* const> architectures) {
  EMUD_ASSIGN(std::vector<Choice> choices, choose_all(acquisition, architectures));
  EMUD_TRY(install_from_catalog(acquisition.store, take_needed(choices), acquisition.fetch,
                                acquisition.progress));
  std::map<const CatalogPackage*, std::string> missed;
  if (acquisition.fetch_better) fetch_all_better(acquisition, choices, missed);
  std::vector<Acquired> result;
  for (const Choice& choice : choices) {
    const std::string& digest =
        choice.installed ? choice.installed->digest : choice.better->member->sha256;
    EMUD_ASSIGN(const VerifiedEmulator emulator, acquisition.store.get(digest));
    Acquired& acquired = result.emplace_back(emulator.manifest());
    if (!choice.installed || !choice.better) continue;
    const auto reason = missed.find(choice.better->package);
    acquired.may_be_bettered = reason == missed.end();
    if (reason != missed.end()) acquired.note = missed_note(*choice.better, reason->second);
  }
  return result;
}

Result<VerifiedEmulator> acquire_emulator(const Store& store, const Architecture& architecture,
                                          std::string_view version) {
  const Catalog none;
  const Acquisition acquisition{
      .store = store, .catalog = none, .wish = {.version = std::string{version}, .configured = {}}};
  const Architecture* const wanted = &architecture;
  EMUD_ASSIGN(const auto acquired, acquire_emulators(acquisition, {&wanted, 1}));
  return store.get(acquired.front().manifest.digest);
}

std::vector<std::string> machine_emulators(const Architecture& architecture,
                                           std::string_view folder) {
  return {fmt::format("{}/qemu-{}-static", folder, architecture.name),
          fmt::format("{}/qemu-{}", folder, architecture.name)};
}

}  // namespace emud
