#include "emulator/choose.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/version.h"

namespace emud {
namespace {

std::vector<const Manifest*> installed_of(std::span<const Manifest> installed,
                                          const Architecture& architecture) {
  std::vector<const Manifest*> found;
  for (const Manifest& manifest : installed) {
    if (manifest.architecture == architecture.name) found.push_back(&manifest);
  }
  return found;
}

Failure none_installed(const std::vector<const Manifest*>& installed,
                       const Architecture& architecture, const EmulatorWish& wish) {
  const std::string& version = wish.wanted();
  std::string versions;
  for (const Manifest* manifest : installed) {
    versions += fmt::format("{}{}", versions.empty() ? "" : ", ", manifest->version);
  }
  const bool is_configured = wish.version.empty() && !version.empty();
  return fail(
      Errc::not_found, "find emulator",
      version.empty() ? std::string{architecture.name}
                      : fmt::format("{} {}", architecture.name, version),
      fmt::format(
          "{}{}", is_configured ? "the configured default is not installed; " : "",
          versions.empty() ? "none is installed" : fmt::format("installed versions: {}", versions)),
      fmt::format("Install it with `emuctl emulator install {}{}{}`; `emuctl emulator list` shows "
                  "what there is",
                  architecture.name, version.empty() ? "" : " --emulator ", version));
}

}  // namespace

Result<Manifest> choose_installed(std::span<const Manifest> installed, const Catalog& catalog,
                                  const Architecture& architecture, const EmulatorWish& wish) {
  const auto own = installed_of(installed, architecture);
  const std::string& wanted = wish.wanted();
  const Manifest* best = nullptr;
  const auto soundness = [&](const Manifest& manifest) {
    return wanted.empty() ? catalog.soundness(architecture, manifest.version) : Soundness::sound;
  };
  // Among equals the first: a store lists the latest installed before the others.
  const auto is_better = [&](const Manifest& manifest) {
    if (best == nullptr) return true;
    if (const auto one = soundness(manifest), other = soundness(*best); one != other) {
      return one > other;
    }
    return compare_versions(manifest.version, best->version) > 0;
  };
  for (const Manifest* manifest : own) {
    if (version_matches(manifest->version, wanted) && is_better(*manifest)) best = manifest;
  }
  if (best != nullptr) return *best;
  return none_installed(own, architecture, wish);
}

Result<Choice> choose_emulator(std::span<const Manifest> installed, const Catalog& catalog,
                               const Architecture& architecture, const EmulatorWish& wish) {
  auto manifest = choose_installed(installed, catalog, architecture, wish);
  const auto is_sound = [&](const std::string& version) {
    return catalog.soundness(architecture, version) == Soundness::sound;
  };
  if (manifest && (!wish.wanted().empty() || is_sound(manifest->version))) {
    return Choice{*std::move(manifest), std::nullopt};
  }
  const auto entry = catalog.find(architecture, wish.wanted());
  if (manifest) {
    const bool is_better = entry && is_sound(entry->package->version);
    return Choice{*std::move(manifest), is_better ? std::optional{*entry} : std::nullopt};
  }
  if (entry) return Choice{std::nullopt, *entry};
  Error error = std::move(manifest).error();
  error.reason += fmt::format("; the catalog: {}", entry.error().reason);
  error.hint =
      "`emuctl emulator list` shows what there is; give a file with `emuctl emulator install "
      "--file PACKAGE.deb --sha256 HEX`";
  return std::unexpected(std::move(error));
}

}  // namespace emud
