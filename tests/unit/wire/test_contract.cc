// The structs against the interface descriptions and against the golden files.
#include <fcntl.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/file.h"
#include "support/catch.h"
#include "wire/errors.h"
#include "wire/idl.h"
#include "wire/interfaces.h"
#include "wire/samples.h"

using namespace emud;
using namespace emud::test;
using nlohmann::ordered_json;

namespace {

std::map<std::string, Idl> read_interfaces() {
  std::map<std::string, Idl> all;
  for (const auto& interface : wire::interfaces()) {
    all[std::string{interface.name}] = parse_idl(interface.description);
  }
  return all;
}

bool has_type(const ordered_json& value, const IdlMember& member) {
  if (member.list) {
    if (!value.is_array()) return false;
    IdlMember element = member;
    element.list = false;
    for (const auto& each : value) {
      if (!has_type(each, element)) return false;
    }
    return true;
  }
  if (member.type == "string") return value.is_string();
  if (member.type == "int") return value.is_number_integer();
  if (member.type == "bool") return value.is_boolean();
  return value.is_object();
}

const std::map<std::string, IdlMembers>& kind_of(const Sample& sample, const Idl& idl) {
  if (sample.name.find("Call") != sample.name.npos) return idl.calls;
  return sample.name.ends_with("Reply") ? idl.replies : idl.types;
}

}  // namespace

TEST_CASE("the interface descriptions name themselves", "[wire]") {
  const auto all = read_interfaces();
  REQUIRE(all.size() == 3);
  for (const auto& [name, idl] : all) CHECK(idl.name == name);
}

TEST_CASE("a message has the members of its description, in order and of that type", "[wire]") {
  const auto all = read_interfaces();
  for (const auto& sample : samples()) {
    INFO(sample.name);
    const auto& kind = kind_of(sample, all.at(sample.interface));
    REQUIRE(kind.contains(sample.idl_name));
    const auto json = ordered_json::parse(sample.json);
    std::vector<std::string> described;
    std::vector<std::string> present;
    for (const auto& member : kind.at(sample.idl_name)) {
      // The encoding is there only where it is not the default.
      if (sample.name == "RunCall" && member.name == "encoding") continue;
      described.push_back(member.name);
      INFO(member.name);
      REQUIRE(json.contains(member.name));
      CHECK(has_type(json[member.name], member));
    }
    for (const auto& item : json.items()) present.push_back(item.key());
    CHECK(present == described);
  }
}

TEST_CASE("exactly the members described as optional may be left out or null", "[wire]") {
  const auto all = read_interfaces();
  for (const auto& sample : samples()) {
    for (const auto& member : kind_of(sample, all.at(sample.interface)).at(sample.idl_name)) {
      if (sample.name == "RunCall_hex" && member.name == "encoding") continue;
      INFO(sample.name << "." << member.name);
      auto without = ordered_json::parse(sample.json);
      without.erase(member.name);
      auto null = ordered_json::parse(sample.json);
      null[member.name] = nullptr;
      const auto left_out = sample.reread(without.dump());
      const auto nulled = sample.reread(null.dump());
      CHECK(left_out.has_value() == member.optional);
      CHECK(nulled.has_value() == member.optional);
      if (member.optional) {
        CHECK(*left_out == without.dump());
        CHECK(*nulled == without.dump());
      } else {
        CHECK(left_out.error().code == Errc::invalid_argument);
        CHECK(left_out.error().object == member.name);
        CHECK(nulled.error().object == member.name);
      }
    }
  }
}

TEST_CASE("every described type, call and reply has a struct", "[wire]") {
  std::set<std::string> covered;
  const auto all = read_interfaces();
  for (const auto& sample : samples()) {
    const Idl& idl = all.at(sample.interface);
    const auto& kind = kind_of(sample, idl);
    const char* suffix = &kind == &idl.calls ? " call" : &kind == &idl.replies ? " reply" : "";
    covered.insert(sample.interface + "." + sample.idl_name + suffix);
  }
  const auto check = [&](const Idl& idl, const auto& kind, const std::string& suffix) {
    for (const auto& [name, members] : kind) {
      INFO(idl.name << "." << name << suffix);
      CHECK(covered.contains(idl.name + "." + name + suffix) == !members.empty());
    }
  };
  for (const auto& [name, idl] : all) {
    check(idl, idl.types, "");
    check(idl, idl.calls, " call");
    check(idl, idl.replies, " reply");
  }
}

TEST_CASE("errors have the members that are described", "[wire]") {
  const Error error{Errc::internal, "register", "emud-arm", 30, "why", "Do this"};
  for (const auto& [interface, idl] : read_interfaces()) {
    if (interface == wire::service_interface) continue;
    const auto json = ordered_json::parse(wire::error_reply(interface, error).parameters);
    for (const auto& [name, members] : idl.errors) {
      INFO(interface << "." << name);
      REQUIRE(members.size() == json.size());
      for (const auto& member : members) CHECK(has_type(json.at(member.name), member));
    }
  }
}

// EMUD_UPDATE_GOLDEN=1 writes the files anew.
TEST_CASE("messages are what the golden files say", "[wire]") {
  const auto directory = open_at(AT_FDCWD, EMUD_GOLDEN_DIR "/wire", O_RDONLY | O_DIRECTORY);
  REQUIRE(directory);
  for (const auto& sample : samples()) {
    INFO(sample.name);
    const std::string name = sample.name + ".json";
    if (std::getenv("EMUD_UPDATE_GOLDEN") != nullptr) {
      REQUIRE(replace_file(directory->get(), name, sample.json + "\n", 0644));
    }
    const auto golden = read_file(directory->get(), name);
    REQUIRE(golden);
    CHECK(sample.json + "\n" == *golden);
    const auto reread = sample.reread(sample.json);
    REQUIRE(reread);
    CHECK(*reread == sample.json);
  }
}
