// Any text as a catalog file: it is refused with the place and the reason, or every emulator in it
// can be found again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emulator/catalog_parse.h"
#include "emulator/files.h"
#include "emulator/version.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

void check_package(const CatalogPackage& package) {
  require(package.size > 0 && package.size <= max_input_size);
  require(package.sha256.size() == 64 && is_version(package.version) && !package.members.empty());
  // They become part of an address and of a file's name.
  require(package.pool_path.ends_with(package.file) && package.file.find('/') == std::string::npos);
  require(!package.pool_path.starts_with('/') && !package.pool_path.starts_with("../"));
  require(package.pool_path.find("/../") == std::string::npos);
}

void find_again(const Catalog& catalog, const CatalogPackage& package) {
  for (const CatalogMember& member : package.members) {
    const auto entry = catalog.find(*member.architecture, package.version, package.host);
    require(entry && entry->member->architecture == member.architecture);
    require(version_matches(entry->package->version, package.version));
    require(catalog.find(*member.architecture, {}, package.host).has_value());
    const Soundness soundness = catalog.soundness(*member.architecture, package.version);
    const bool is_sound = catalog.notes_for(*member.architecture, package.version).empty();
    require(is_sound == (soundness == Soundness::sound));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto file = parse_catalog(text, "fuzz");
  Catalog catalog;
  require(catalog.add(text, "fuzz").has_value() == file.has_value());
  if (!file) {
    const Error& error = file.error();
    require(error.code == Errc::invalid_argument && !error.reason.empty() && !error.hint.empty());
    require(error.object.starts_with("fuzz") && catalog.packages().empty());
    return 0;
  }
  require(catalog.packages().size() == file->packages.size());
  for (const CatalogPackage& package : file->packages) {
    check_package(package);
    find_again(catalog, package);
  }
  return 0;
}
