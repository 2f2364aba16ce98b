// Catalog files that are wrong: each is refused with its name and the key.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "emulator/catalog.h"
#include "emulator/fixtures.h"
#include "support/catch.h"

using namespace emud;
using namespace emud::test;
using nlohmann::json;

namespace {

json good() {
  return json::parse(R"({"version": 1,
    "packages": [{"host": "x86_64", "version": "10.0.13", "package": "qemu-user",
      "package_version": "1:10.0.13+ds-0", "file": "q_1_amd64.deb", "pool_path": "pool/q_1_amd64.deb",
      "snapshot": "20251115T000000Z", "size": 1000,
      "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "members": [{"architecture": "arm", "path": "usr/bin/qemu-arm",
        "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}]}],
    "notes": [{"from": "7", "before": "8", "architecture": "arm", "effect": "slow", "text": "t",
      "instead": "i"}]})");
}

// What a file says that is `good` but for one change: "<key>: <reason>".
std::string refusal(const std::function<void(json&)>& change) {
  json value = good();
  change(value);
  Catalog catalog;
  const auto added = catalog.add(value.dump(), "/etc/x.json");
  if (added) return "accepted";
  CHECK(added.error().code == Errc::invalid_argument);
  CHECK_FALSE(added.error().hint.empty());
  constexpr std::string_view begin = "/etc/x.json: ";
  REQUIRE(added.error().object.starts_with(begin));
  CHECK(catalog.packages().empty());
  return added.error().object.substr(begin.size()) + ": " + added.error().reason;
}

// The same for one key of the package, of its member or of the note.
std::string wrong(const char* where, const char* key, const json& value) {
  return refusal([&](json& file) {
    const std::string_view part = where;
    json& object = part == "package"  ? file["packages"][0]
                   : part == "member" ? file["packages"][0]["members"][0]
                                      : file["notes"][0];
    if (value.is_discarded()) {
      object.erase(key);
    } else {
      object[key] = value;
    }
  });
}

const json missing = json(json::value_t::discarded);

}  // namespace

TEST_CASE("catalog: the file that the others are made from is good") {
  CHECK(refusal([](json&) {}) == "accepted");
  CHECK(wrong("package", "snapshot", missing) == "accepted");
  CHECK(wrong("note", "from", missing) == "accepted");
  CHECK(wrong("note", "architecture", missing) == "accepted");
  CHECK(refusal([](json& file) { file.erase("notes"); }) == "accepted");
}

TEST_CASE("catalog: an unknown, missing or wrongly typed key is named") {
  CHECK(wrong("package", "colour", "red") == "packages[0].colour: there is no such key");
  CHECK(wrong("member", "mode", 1) == "packages[0].members[0].mode: there is no such key");
  CHECK(wrong("note", "url", "x") == "notes[0].url: there is no such key");
  CHECK(refusal([](json& file) { file["x"] = 1; }) == "x: there is no such key");
  CHECK(refusal([](json& file) { file["version"] = 2; }) ==
        "version: this emud knows version 1 only");
  CHECK(refusal([](json& file) { file["packages"] = 3; }) == "packages: it is not a list");
  CHECK(refusal([](json& file) { file["packages"][0] = 3; }) == "packages[0]: it is not an object");
  for (const char* key : {"host", "version", "package", "package_version", "file", "pool_path",
                          "size", "sha256", "members"}) {
    CHECK(wrong("package", key, missing) == std::string{"packages[0]."} + key + ": it is missing");
  }
  CHECK(wrong("package", "version", 10) == "packages[0].version: it is not a text");
  CHECK(wrong("package", "members", json::array()) == "packages[0].members: there is none");
  for (const json& size : {json(0), json(-1), json(1.5), json("1000"), json(nullptr)}) {
    CHECK(wrong("package", "size", size) == "packages[0].size: it is not a whole number from 1 on");
  }
  CHECK(wrong("package", "size", 1ULL << 40) == "packages[0].size: it is larger than 256 MiB");
}

TEST_CASE("catalog: words of another form are refused") {
  const std::string digest = "it is not 64 hexadecimal digits in lower case";
  for (const std::string& bad :
       {std::string(63, 'a'), std::string(64, 'A'), std::string(64, 'g'), std::string(65, 'a')}) {
    CHECK(wrong("package", "sha256", bad) == "packages[0].sha256: " + digest);
    CHECK(wrong("member", "sha256", bad) == "packages[0].members[0].sha256: " + digest);
  }
  CHECK(wrong("member", "architecture", "arm64") ==
        "packages[0].members[0].architecture: 'arm64' is not an architecture's name in QEMU");
  CHECK(wrong("package", "host", "vax") ==
        "packages[0].host: 'vax' is not an architecture's name in QEMU");
  CHECK(wrong("package", "version", "10.x") ==
        "packages[0].version: it is not a version such as 10.0.13");
  CHECK(wrong("package", "snapshot", "yesterday") ==
        "packages[0].snapshot: it is not a time such as 20251115T000000Z");
  CHECK(wrong("package", "package", "qemu user") == "packages[0].package: it is not plain");
  CHECK(wrong("package", "package_version", "1;reboot") ==
        "packages[0].package_version: it is not plain");
  CHECK(wrong("note", "effect", "odd") == "notes[0].effect: it is neither \"slow\" nor \"broken\"");
  CHECK(wrong("note", "before", "7") == "notes[0].before: it is not after \"from\"");
  CHECK(wrong("note", "text", "a\x1b[31m") == "notes[0].text: it has control characters");
  CHECK(wrong("note", "text", std::string(501, 'x')) ==
        "notes[0].text: it is longer than 500 bytes");
  CHECK(refusal([](json& file) {
          file["notes"][0].erase("from");
          file["notes"][0].erase("before");
        }) == "notes[0]: it needs \"from\", \"before\" or both");
}

TEST_CASE("catalog: paths that lead elsewhere are refused") {
  for (const char* bad :
       {"/pool/q_1_amd64.deb", "../q_1_amd64.deb", "pool/../q_1_amd64.deb", "pool//q_1_amd64.deb",
        "pool/./q_1_amd64.deb", "pool/%2e%2e/q_1_amd64.deb", "pool/q_1_amd64.deb?x",
        "pool\\q_1_amd64.deb", "pool/q_1_amd64.deb/"}) {
    CHECK(wrong("package", "pool_path", bad) ==
          "packages[0].pool_path: it is not a plain relative path");
  }
  CHECK(wrong("package", "pool_path", "pool/other.deb") ==
        "packages[0].pool_path: it does not end with the name of the file");
  for (const char* bad : {"a/q_1_amd64.deb", "q_1_amd64.tar", "..", "$(x).deb"}) {
    CHECK(wrong("package", "file", bad) ==
          "packages[0].file: it is not the plain name of a .deb file");
  }
  for (const char* bad : {"/usr/bin/qemu-arm", "usr/../bin/qemu-arm", "usr/bin/qemu-arm\n"}) {
    CHECK(wrong("member", "path", bad).starts_with("packages[0].members[0].path: it "));
    CHECK(wrong("member", "path", bad) != "accepted");
  }
}

TEST_CASE("catalog: the same thing twice is refused") {
  CHECK(refusal([](json& file) { file["packages"].push_back(file["packages"][0]); }) ==
        "packages[1].sha256: it comes twice");
  CHECK(refusal([](json& file) {
          file["packages"].push_back(file["packages"][0]);
          file["packages"][1]["sha256"] = std::string(64, 'c');
        }) == "packages[1].members: arm 10.0.13 for x86_64 comes twice");
  CHECK(refusal([](json& file) {
          auto& members = file["packages"][0]["members"];
          members.push_back(members[0]);
        }) == "packages[0].members[1].architecture: the package has it already");
  CHECK(refusal([](json& file) {
          auto& members = file["packages"][0]["members"];
          members.push_back(members[0]);
          members[1]["architecture"] = "aarch64";
        }) == "packages[0].members[1].path: the package has it already");
  Catalog catalog;
  const auto twice = catalog.add(R"({"version": 1, "version": 1})", "x");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().reason == "an object has this key twice");
}

TEST_CASE("catalog: what is no JSON object is refused") {
  for (const std::string& text :
       {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{"{} {}"},
        std::string{"{\"version\": 1}\0", 15}, std::string{"\xff\xfe"}, std::string(100000, '['),
        std::string{R"({"version": 1, "packages": [{"host": ")"} + "\xc3\x28\"}]}"}) {
    Catalog catalog;
    const auto added = catalog.add(text, "x.json");
    REQUIRE_FALSE(added);
    CHECK(added.error().code == Errc::invalid_argument);
    CHECK(added.error().object.starts_with("x.json"));
  }
}

TEST_CASE("catalog: files that others may write, or that are too large, are not trusted") {
  const ScratchDirectory folder;
  const Paths paths = paths_in(folder.path());
  CHECK(Catalog::load(paths)->packages().empty());  // nothing is there
  std::ofstream{paths.catalog} << good().dump();
  REQUIRE(::mkdir(paths.catalog_directory.c_str(), 0755) == 0);
  CHECK(Catalog::load(paths)->packages().size() == 1);

  const std::string added = paths.catalog_directory + "/10-own.json";
  std::ofstream{paths.catalog_directory + "/README"} << "not JSON";
  json own = good();
  own["packages"][0]["version"] = "11.0";
  std::ofstream{added} << own.dump();
  REQUIRE(::chmod(added.c_str(), 0644) == 0);
  CHECK(Catalog::load(paths)->packages().size() == 2);
  REQUIRE(::chmod(added.c_str(), 0666) == 0);
  const auto writable = Catalog::load(paths);
  REQUIRE_FALSE(writable);
  CHECK(writable.error().code == Errc::permission_denied);
  CHECK(writable.error().object == added);

  std::ofstream{added} << "{\"version\": 1," << std::string(max_catalog_size, ' ') << "}";
  REQUIRE(::chmod(added.c_str(), 0644) == 0);
  const auto large = Catalog::load(paths);
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::limit_exceeded);
  CHECK(large.error().object == added);

  REQUIRE(::unlink(added.c_str()) == 0);
  REQUIRE(::mkfifo(added.c_str(), 0644) == 0);  // must not wait for a writer
  CHECK(Catalog::load(paths).error().code == Errc::invalid_argument);
}
