// The catalog: what is read from its files, and what it answers.
#include <nlohmann/json.hpp>

#include "emulator/catalog.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

using namespace emud;
using nlohmann::json;

namespace {

const std::string digest_a(64, 'a');
const std::string digest_b(64, 'b');

json package(const std::string& version, const std::string& sha256,
             std::vector<std::string> architectures = {"aarch64"}) {
  json members = json::array();
  for (const auto& name : architectures) {
    members.push_back(
        {{"architecture", name}, {"path", "usr/bin/qemu-" + name}, {"sha256", digest_a}});
  }
  const std::string file = "qemu-user_" + version + "_amd64.deb";
  return {{"host", "x86_64"},
          {"version", version},
          {"package", "qemu-user"},
          {"package_version", "1:" + version + "+ds-1~bpo12+1"},
          {"file", file},
          {"pool_path", "pool/main/q/qemu/" + file},
          {"snapshot", "20251115T000000Z"},
          {"size", 1000},
          {"sha256", sha256},
          {"members", std::move(members)}};
}

json note(const std::string& from, const std::string& before, const std::string& effect) {
  json value{{"effect", effect}, {"text", "it breaks"}, {"instead", "Use another"}};
  if (!from.empty()) value["from"] = from;
  if (!before.empty()) value["before"] = before;
  return value;
}

using List = std::vector<json>;

std::string text_of(const List& packages, const List& notes = {}) {
  return json{{"version", 1}, {"packages", packages}, {"notes", notes}}.dump();
}

Catalog catalog_of(const List& packages, const List& notes = {}) {
  Catalog catalog;
  const auto added = catalog.add(text_of(packages, notes), "test.json");
  INFO((added ? "" : added.error().message()));
  REQUIRE(added);
  return catalog;
}

std::string found_version(const Catalog& catalog, std::string_view name,
                          std::string_view version = {}) {
  const auto entry = catalog.find(test::architecture(name), version, "x86_64");
  return entry ? entry->package->version : "none: " + entry.error().reason;
}

}  // namespace

TEST_CASE("catalog: every member of a package is read") {
  const Catalog catalog = catalog_of({package("10.0.13", digest_b, {"aarch64", "arm"})});
  const auto entry = catalog.find(test::architecture("arm"), "10.0", "x86_64");
  REQUIRE(entry);
  CHECK(entry->member->path == "usr/bin/qemu-arm");
  CHECK(entry->member->sha256 == digest_a);
  const CatalogPackage& found = *entry->package;
  CHECK(found.host == "x86_64");
  CHECK(found.version == "10.0.13");
  CHECK(found.package == "qemu-user");
  CHECK(found.package_version == "1:10.0.13+ds-1~bpo12+1");
  CHECK(found.file == "qemu-user_10.0.13_amd64.deb");
  CHECK(found.pool_path == "pool/main/q/qemu/qemu-user_10.0.13_amd64.deb");
  CHECK(found.snapshot == "20251115T000000Z");
  CHECK(found.size == 1000);
  CHECK(found.sha256 == digest_b);
  CHECK(found.members.size() == 2);
}

TEST_CASE("catalog: a wish is met by the newest that begins with it, for the host") {
  const Catalog catalog =
      catalog_of({package("7.2.22", std::string(64, '1')), package("10.0.2", std::string(64, '2')),
                  package("10.0.13", std::string(64, '3'))});
  CHECK(found_version(catalog, "aarch64") == "10.0.13");
  CHECK(found_version(catalog, "aarch64", "10.0") == "10.0.13");
  CHECK(found_version(catalog, "aarch64", "10.0.2") == "10.0.2");
  CHECK(found_version(catalog, "aarch64", "7") == "7.2.22");
  CHECK(found_version(catalog, "aarch64", "9") == "none: it has 7.2.22, 10.0.2, 10.0.13");
  CHECK(found_version(catalog, "arm") == "none: it has no emulator of arm for x86_64");
  CHECK_FALSE(catalog.find(test::architecture("aarch64"), {}, "aarch64"));
}

TEST_CASE("catalog: the default is the newest without a note, then the newest that is only slow") {
  const List packages{package("7.2.22", std::string(64, '1')),
                      package("10.0.2", std::string(64, '2')),
                      package("11.1.3", std::string(64, '3'))};
  CHECK(found_version(catalog_of(packages, {note("11", "", "broken")}), "aarch64") == "10.0.2");
  CHECK(found_version(catalog_of(packages, {note("8", "", "slow")}), "aarch64") == "7.2.22");
  const List all{note("8", "", "broken"), note("", "8", "slow")};
  CHECK(found_version(catalog_of(packages, all), "aarch64") == "7.2.22");
  CHECK(found_version(catalog_of(packages, {note("", "99", "broken")}), "aarch64") == "11.1.3");
  json other = note("11", "", "broken");
  other["architecture"] = "arm";
  const Catalog catalog = catalog_of(packages, {other});
  CHECK(found_version(catalog, "aarch64") == "11.1.3");
  CHECK(catalog.notes_for(test::architecture("aarch64"), "11.1.3").empty());
  CHECK(catalog.notes_for(test::architecture("arm"), "11.1.3").size() == 1);
  CHECK(catalog.notes_for(test::architecture("arm"), "11").size() == 1);
  CHECK(catalog.notes_for(test::architecture("arm"), "10.2").empty());
}

TEST_CASE("catalog: a later file's emulator takes the place of an earlier one's") {
  Catalog catalog = catalog_of({package("10.0.13", std::string(64, '1'), {"aarch64", "arm"})});
  REQUIRE(catalog.add(text_of({package("10.0.13", digest_b)}), "later.json"));
  CHECK(catalog.find(test::architecture("aarch64"), {}, "x86_64")->package->sha256 == digest_b);
  CHECK(catalog.find(test::architecture("arm"), {}, "x86_64")->package->sha256 ==
        std::string(64, '1'));
  // A file that is refused adds nothing.
  CHECK_FALSE(catalog.add(R"({"version": 1, "packages": [{}]})", "bad.json"));
  CHECK(catalog.packages().size() == 2);
}
