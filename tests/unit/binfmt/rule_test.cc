#include "binfmt/rule.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include "support/catch.h"

using emud::registration_string;
using emud::Rule;

namespace {

const emud::Architecture& known(std::string_view name) {
  return **emud::find_architecture(name);
}

Rule valid() {
  return emud::make_rule(known("aarch64"), "/usr/bin/qemu-aarch64");
}

std::string reason(const Rule& rule) {
  const auto text = registration_string(rule);
  if (text) return "accepted";
  CHECK(text.error().code == emud::Errc::invalid_argument);
  return text.error().reason;
}

}  // namespace

TEST_CASE("the registration strings are those of the golden file") {
  std::ifstream file{EMUD_GOLDEN_DIR "/registration.txt"};
  REQUIRE(file);
  std::map<std::string, std::string> golden;
  for (std::string name, text; file >> name >> text;) golden[name] = text;
  CHECK(golden.size() == emud::architectures().size());
  for (const emud::Architecture& known : emud::architectures()) {
    const std::string interpreter = "/usr/bin/qemu-" + std::string{known.name};
    const auto text = registration_string(emud::make_rule(known, interpreter));
    REQUIRE(text);
    CHECK(golden[std::string{known.name}] == *text);
  }
}

TEST_CASE("a rule has emud's name and C only where it is asked for") {
  CHECK(valid().name == "emud-aarch64");
  CHECK(valid().flags == "PF");
  CHECK(emud::make_rule(known("arm"), "/x", true).flags == "PFC");
}

TEST_CASE("the delimiter is one that no field has") {
  Rule rule = valid();
  rule.interpreter = "/opt/a:b|c/qemu";
  const auto text = registration_string(rule);
  REQUIRE(text);
  CHECK(text->starts_with(",emud-aarch64,M,0,\\x7f"));
  CHECK(text->ends_with(",/opt/a:b|c/qemu,PF"));
  CHECK(std::ranges::count(*text, ',') == 7);
  rule.interpreter = "/:|,;!#%&*+=?@^~";
  CHECK(reason(rule) == "name and interpreter leave no character to delimit the fields with");
}

TEST_CASE("what the kernel would refuse is refused") {
  const auto edited = [](auto edit) {
    Rule rule = valid();
    edit(rule);
    return reason(rule);
  };
  for (const std::string name : {".", "..", "register", "status"}) {
    CHECK(edited([&](Rule& r) { r.name = name; }) == "the name is taken by binfmt_misc itself");
  }
  CHECK(edited([](Rule& r) { r.name = ""; }) == "a name has 1 to 255 bytes");
  CHECK(edited([](Rule& r) { r.name = std::string(256, 'n'); }) == "a name has 1 to 255 bytes");
  CHECK(edited([](Rule& r) { r.name = "a/b"; }) != "accepted");
  CHECK(edited([](Rule& r) { r.name = "a\nb"; }) != "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = "qemu"; }) != "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = ""; }) != "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = "/a\nflags: C"; }) != "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = std::string("/a\0b", 4); }) != "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = "/" + std::string(126, 'i'); }) == "accepted");
  CHECK(edited([](Rule& r) { r.interpreter = "/" + std::string(127, 'i'); }) != "accepted");
  CHECK(edited([](Rule& r) { r.magic = r.mask = ""; }) == "the magic is empty");
  CHECK(edited([](Rule& r) { r.mask.pop_back(); }) == "the magic has 20 bytes but the mask 19");
  CHECK(edited([](Rule& r) { r.offset = 108; }) == "accepted");
  CHECK(edited([](Rule& r) { r.offset = 109; }) != "accepted");
  CHECK(edited([](Rule& r) { r.offset = 4294967295U; }) != "accepted");
  CHECK(edited([](Rule& r) { r.magic = r.mask = std::string(129, 'm'); }) != "accepted");
  CHECK(edited([](Rule& r) { r.flags = "PFX"; }) == "its flags, PFX, are not all of POCF");
  CHECK(edited([](Rule& r) { r.flags = ""; }) == "accepted");
}

TEST_CASE("the longest rule of all still fits the kernel's 1920 bytes") {
  Rule rule = valid();
  rule.name = std::string(255, 'n');
  rule.interpreter = std::string(127, 'i');
  rule.interpreter.front() = '/';
  rule.magic = rule.mask = std::string(128, 'm');
  const auto text = registration_string(rule);
  REQUIRE(text);
  CHECK(text->size() <= 1920);
}
