#include <nlohmann/json.hpp>

#include "emulator/manifest.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using nlohmann::json;
using test::value_of;

const std::string digest(64, 'a');

Manifest sample() {
  return Manifest{.architecture = "aarch64",
                  .version = "7.2.18",
                  .digest = digest,
                  .interpreter = {},
                  .source = "/usr/bin/qemu-aarch64-static",
                  .package_digest = {},
                  .installed = "2026-02-03T04:05:06Z"};
}

TEST_CASE("a manifest survives being written and read") {
  Manifest manifest = sample();
  CHECK(value_of(parse_manifest(format_manifest(manifest), "m")) == manifest);
  manifest.package_digest = std::string(64, 'b');
  manifest.interpreter = std::string(64, 'c');
  manifest.source = "a \"quoted\" path\nwith a line break and \xc3\xa4";
  CHECK(value_of(parse_manifest(format_manifest(manifest), "m")) == manifest);
}

TEST_CASE("a source that is not UTF-8 is written all the same") {
  Manifest manifest = sample();
  manifest.source = "/tmp/\xff.deb";
  const auto read = parse_manifest(format_manifest(manifest), "m");
  REQUIRE(read);
  CHECK(read->source == "/tmp/\xef\xbf\xbd.deb");
}

TEST_CASE("members that are not known are passed over") {
  json object = json::parse(format_manifest(sample()));
  object["signature"] = {1, 2, 3};
  CHECK(value_of(parse_manifest(object.dump(), "m")) == sample());
}

TEST_CASE("a manifest that cannot be right is refused with a reason") {
  const auto refused = [](std::string_view text, std::string_view reason) {
    const auto manifest = parse_manifest(text, "store/x/manifest.json");
    INFO(text);
    REQUIRE_FALSE(manifest);
    CHECK(manifest.error().code == Errc::invalid_argument);
    CHECK(manifest.error().object == "store/x/manifest.json");
    CHECK(test::contains(manifest.error().reason, reason));
    CHECK_FALSE(manifest.error().hint.empty());
  };
  for (const char* text : {"", "{", "[]", "null", "\"x\"", "{}x", "\xff"}) refused(text, "JSON");
  const auto with = [](const char* name, const json& value) {
    json object = json::parse(format_manifest(sample()));
    object[name] = value;
    return object.dump();
  };
  for (const json& value : {json{}, json{1}, json{"../arm"}, json{""}, json{"AArch64"}}) {
    refused(with("architecture", value), "architecture");
  }
  refused(with("version", "7.2-x"), "version");
  refused(with("digest", std::string(64, 'A')), "digest");
  refused(with("digest", "abc"), "digest");
  refused(with("interpreter", "../arm"), "interpreter");
  refused(with("package_digest", "abc"), "package_digest");
  refused(with("installed", "yesterday"), "installed");
  refused(with("installed", "2026-02-03T04:05:06+01:00"), "installed");
  refused(with("source", std::string{"a\0b", 3}), "NUL");
}

TEST_CASE("the time is one that a manifest takes") {
  Manifest manifest = sample();
  manifest.installed = manifest_time();
  CHECK(value_of(parse_manifest(format_manifest(manifest), "m")) == manifest);
}

}  // namespace
}  // namespace emud
