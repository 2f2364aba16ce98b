// The rule by which a build gets its emulator, and what looks after the store.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "emulator/acquire.h"
#include "emulator/fixtures.h"
#include "emulator/listing.h"
#include "support/catch.h"

using namespace emud;
using namespace emud::test;

namespace {

// 7.2.22, 10.0.13 and 11.1.3 for aarch64; what is older than 10 is slow, 11.1.3 is not noted.
Catalog catalog() {
  Catalog catalog;
  std::string packages;
  char letter = 'a';
  for (const char* version : {"7.2.22", "10.0.13", "11.1.3"}) {
    const std::string host{host_architecture().name};
    const std::string digest(64, letter++);
    packages += std::string{packages.empty() ? "" : ","} + R"({"host": ")" + host +
                R"(", "version": ")" + version +
                R"(", "package": "q", "package_version": "1", "file": "q.deb", "pool_path": "q.deb",
                "size": 1000, "sha256": ")" +
                digest + R"(", "members": [{"architecture": "aarch64", "path": "q", "sha256": ")" +
                digest + R"("}]})";
  }
  const auto added = catalog.add(
      R"({"version": 1, "packages": [)" + packages +
          R"(], "notes": [{"before": "10", "effect": "slow", "text": "It is slow", "instead": "Use 10"},
          {"before": "5", "effect": "broken", "text": "It breaks", "instead": "Use 10"}]})",
      "test.json");
  INFO((added ? "" : added.error().message()));
  REQUIRE(added);
  return catalog;
}

std::vector<Manifest> installed(const std::vector<std::string>& versions) {
  std::vector<Manifest> manifests;
  for (const auto& version : versions) {
    manifests.push_back({.architecture = "aarch64",
                         .version = version,
                         .digest = "installed " + version,
                         .interpreter = {},
                         .source = {},
                         .package_digest = {},
                         .installed = {}});
  }
  return manifests;
}

// "installed 7.2.22", "fetch 11.1.3", "fetch 11.1.3, else installed 7.2.22", or why there is none.
std::string choice(const std::vector<std::string>& versions, const std::string& version = {},
                   const std::string& configured = {}) {
  const Catalog known = catalog();
  const auto manifests = installed(versions);
  const auto chosen = choose_emulator(manifests, known, architecture("aarch64"),
                                      {.version = version, .configured = configured});
  if (!chosen) return "none: " + chosen.error().reason;
  std::string text = chosen->better ? "fetch " + chosen->better->package->version : "";
  if (!chosen->installed) return text;
  return text.empty() ? chosen->installed->digest : text + ", else " + chosen->installed->digest;
}

}  // namespace

TEST_CASE("choose: what is installed without a known problem is used, the newest first") {
  CHECK(choice({"7.2.22", "10.0.2", "10.0.13"}) == "installed 10.0.13");
  CHECK(choice({"99.0", "7.2.22"}) == "installed 99.0");
}

TEST_CASE("choose: one with a known problem is used where none without can be fetched") {
  CHECK(choice({"7.2.18"}) == "fetch 11.1.3, else installed 7.2.18");
  CHECK(choice({"4.2", "7.2.22"}) == "fetch 11.1.3, else installed 7.2.22");
  CHECK(choice({"4.2"}) == "fetch 11.1.3, else installed 4.2");
}

TEST_CASE("choose: a catalog that has nothing better changes nothing") {
  Catalog noted;
  REQUIRE(noted.add(R"({"version": 1, "packages": [], "notes": [
      {"before": "99", "effect": "slow", "text": "It is slow", "instead": "Wait"}]})",
                    "test.json"));
  const auto manifests = installed({"7.2.18", "8.0"});
  const auto chosen = value_of(choose_emulator(manifests, noted, architecture("aarch64"), {}));
  CHECK(chosen.installed->version == "8.0");
  CHECK_FALSE(chosen.better);
}

TEST_CASE("choose: nothing installed takes the catalog's default") {
  CHECK(choice({}) == "fetch 11.1.3");
}

TEST_CASE("choose: a named version is met exactly, the request's before the configured one") {
  CHECK(choice({"10.0.13", "7.2.18"}, "7.2") == "installed 7.2.18");
  CHECK(choice({"10.0.13"}, "7.2") == "fetch 7.2.22");
  CHECK(choice({"10.0.13"}, {}, "7.2") == "fetch 7.2.22");
  CHECK(choice({"10.0.13"}, "10", "7.2") == "installed 10.0.13");
  CHECK(choice({"10.0.13"}, "8.2") ==
        "none: installed versions: 10.0.13; the catalog: it has 7.2.22, 10.0.13, 11.1.3");
  CHECK(choice({}, {}, "8.2").starts_with("none: the configured default is not installed; "));
}

TEST_CASE("listing: installed and available in one list, with the default and the notes") {
  const Catalog known = catalog();
  const auto manifests = installed({"7.2.18"});
  const auto list_where = [&](bool may_fetch) {
    return list_emulators(manifests, known, {}, [=](const CatalogPackage&) { return may_fetch; });
  };
  for (const auto& one : list_where(true)) CHECK(one.is_default == (one.version == "11.1.3"));
  const auto list = list_where(false);
  REQUIRE(list.size() == 4);
  CHECK(list[0].version == "11.1.3");
  CHECK_FALSE(list[0].is_installed);
  CHECK(list[0].size == 1000);
  const auto own = std::ranges::find(list, "7.2.18", &ListedEmulator::version);
  REQUIRE(own != list.end());
  CHECK(own->is_installed);
  CHECK(own->is_default);
  REQUIRE(own->notes.size() == 1);
  CHECK(own->notes[0] == "It is slow. Use 10");
  CHECK(std::ranges::count_if(list, &ListedEmulator::is_default) == 1);
}

TEST_CASE("acquire: without permission to fetch the error says so, and nothing is made") {
  TestStore test;
  const Catalog known = catalog();
  const Architecture* const wanted = &architecture("aarch64");
  const auto refused =
      acquire_emulators({.store = test.store, .catalog = known, .wish = {}}, {&wanted, 1});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(contains(refused.error().reason, "fetching QEMU 11.1.3 is switched off"));
  CHECK(contains(refused.error().hint, "emuctl emulator install aarch64"));
  CHECK(test.names().empty());
}

TEST_CASE("verify: what changed is moved aside and never used again") {
  TestStore test;
  const auto file = open_file(machine_emulator());
  const auto manifest = value_of(test.store.install(file.get(), architecture("aarch64"), "a file"));
  auto checked = value_of(test.store.verify());
  REQUIRE(checked.size() == 1);
  CHECK_FALSE(checked[0].problem);

  const std::string binary = test.entry(manifest.digest) + "/qemu-aarch64";
  REQUIRE(::chmod(binary.c_str(), 0755) == 0);
  write_file(binary, "changed", 0755);
  checked = value_of(test.store.verify());
  REQUIRE(checked.size() == 1);
  REQUIRE(checked[0].problem);
  CHECK(checked[0].manifest->version == manifest.version);
  CHECK(checked[0].moved_to.starts_with(test.paths.quarantine() + "/" + manifest.digest));
  CHECK(std::filesystem::exists(checked[0].moved_to));
  CHECK_FALSE(test.store.get(manifest.digest));
  CHECK(value_of(test.store.list()).empty());
  CHECK(value_of(test.store.verify()).empty());
}

TEST_CASE("prune: what is to be kept stays, the rest goes") {
  TestStore test;
  const auto file = open_file(machine_emulator());
  const auto real = value_of(test.store.install(file.get(), architecture("aarch64"), "a file"));
  const std::string path = compile(test.directory, "qemu-aarch64", fake_emulator("9.9.9"));
  const auto other_file = open_file(path);
  const auto other =
      value_of(test.store.install(other_file.get(), architecture("aarch64"), "another"));
  const std::vector<std::string> keep{real.digest};
  const auto removed = value_of(test.store.take_out_all_but(keep));
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].digest == other.digest);
  CHECK(value_of(test.store.list()).size() == 1);
  CHECK(value_of(test.store.take_out_all_but(keep)).empty());
}
