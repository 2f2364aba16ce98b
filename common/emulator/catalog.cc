#include "emulator/catalog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "emulator/catalog_parse.h"
#include "emulator/version.h"

namespace emud {
namespace {

enum class Trust {
  program,  // it came with the program: as trustworthy as that
  owner,    // root's or the current user's, and nobody else may write it
};

// The file's text; nothing where there is none. Symbolic links are followed: NixOS makes all of
// /etc of them.
Result<std::optional<std::string>> read_trusted(const std::string& path, Trust trust) {
  const auto file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && file.error().code == Errc::not_found) return std::nullopt;
  if (!file) return std::unexpected(file.error());
  struct stat status = {};
  if (::fstat(file->get(), &status) != 0) return fail_errno("examine", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid_argument, "read catalog", path, "it is not a regular file");
  }
  const bool is_foreign = status.st_uid != 0 && status.st_uid != ::geteuid();
  if (trust == Trust::owner && (is_foreign || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
    return fail(Errc::permission_denied, "trust catalog", path,
                is_foreign
                    ? fmt::format("it belongs to user {}", status.st_uid)
                    : fmt::format("others may write it (mode {:04o})", status.st_mode & 07777U),
                "Make it a file of root's that nobody else may write");
  }
  EMUD_ASSIGN(auto text, read_all(file->get(), path, max_catalog_size));
  return text;
}

bool has_same(const CatalogPackage& later, const CatalogPackage& package,
              const CatalogMember& member) {
  return later.host == package.host && later.version == package.version &&
         std::ranges::find(later.members, member.architecture, &CatalogMember::architecture) !=
             later.members.end();
}

}  // namespace

Result<Catalog> Catalog::load(const Paths& paths) {
  Catalog catalog;
  std::vector<std::string> files;
  if (const auto directory = open_at(AT_FDCWD, paths.catalog_directory, O_RDONLY | O_DIRECTORY);
      directory) {
    EMUD_ASSIGN(const auto names, list_directory(directory->get(), "."));
    for (const std::string& name : names) {
      if (name.ends_with(".json") && !name.starts_with('.')) {
        files.push_back(fmt::format("{}/{}", paths.catalog_directory, name));
      }
    }
  } else if (directory.error().code != Errc::not_found) {
    return std::unexpected(directory.error());
  }
  EMUD_ASSIGN(const auto own, read_trusted(paths.catalog, Trust::program));
  if (own) EMUD_TRY(catalog.add(*own, paths.catalog));
  for (const std::string& path : files) {
    EMUD_ASSIGN(const auto text, read_trusted(path, Trust::owner));
    if (text) EMUD_TRY(catalog.add(*text, path));
  }
  return catalog;
}

Result<> Catalog::add(std::string_view text, std::string_view path) {
  EMUD_ASSIGN(CatalogFile file, parse_catalog(text, path));
  for (CatalogPackage& known : packages_) {
    std::erase_if(known.members, [&](const CatalogMember& member) {
      return std::ranges::any_of(file.packages, [&](const CatalogPackage& later) {
        return has_same(later, known, member);
      });
    });
  }
  std::erase_if(packages_, [](const CatalogPackage& package) { return package.members.empty(); });
  std::ranges::move(file.packages, std::back_inserter(packages_));
  std::ranges::move(file.notes, std::back_inserter(notes_));
  return {};
}

Result<CatalogEntry> Catalog::find(const Architecture& architecture, std::string_view version,
                                   std::string_view host) const {
  std::optional<CatalogEntry> best;
  std::string versions;
  const auto is_better = [&](const CatalogEntry& entry) {
    if (!best) return true;
    if (version.empty()) {
      const Soundness one = soundness(architecture, entry.package->version);
      const Soundness other = soundness(architecture, best->package->version);
      if (one != other) return one > other;
    }
    return compare_versions(entry.package->version, best->package->version) > 0;
  };
  for (const CatalogPackage& package : packages_) {
    const auto member =
        std::ranges::find(package.members, &architecture, &CatalogMember::architecture);
    if (package.host != host || member == package.members.end()) continue;
    versions += fmt::format("{}{}", versions.empty() ? "" : ", ", package.version);
    const CatalogEntry entry{&package, &*member};
    if (version_matches(package.version, version) && is_better(entry)) best = entry;
  }
  if (best) return *best;
  const std::string object = version.empty() ? std::string{architecture.name}
                                             : fmt::format("{} {}", architecture.name, version);
  return fail(Errc::not_found, "find in the catalog", object,
              versions.empty()
                  ? fmt::format("it has no emulator of {} for {}", architecture.name, host)
                  : fmt::format("it has {}", versions),
              "See `emuctl emulator list`, or give a file with 'emuctl emulator install --file "
              "PACKAGE.deb --sha256 HEX'");
}

Soundness Catalog::soundness(const Architecture& architecture, std::string_view version) const {
  Soundness worst = Soundness::sound;
  for (const CatalogNote* note : notes_for(architecture, version)) {
    worst = std::min(worst, note->effect == Effect::slow ? Soundness::slow : Soundness::broken);
  }
  return worst;
}

std::vector<const CatalogNote*> Catalog::notes_for(const Architecture& architecture,
                                                   std::string_view version) const {
  std::vector<const CatalogNote*> found;
  for (const CatalogNote& note : notes_) {
    if (concerns(note, architecture, version)) found.push_back(&note);
  }
  return found;
}

std::vector<std::string> Catalog::warnings_about(const Architecture& architecture,
                                                 std::string_view version) const {
  std::vector<std::string> warnings;
  for (const CatalogNote* note : notes_for(architecture, version)) {
    warnings.push_back(
        fmt::format("QEMU {} for {}: {}", version, architecture.name, advice(*note)));
  }
  return warnings;
}

}  // namespace emud
