#include "binfmt/standing.h"

#include "support/catch.h"

namespace emud {
namespace {

const Architecture& named(const char* name) {
  return **find_architecture(name);
}

Entry entry_of(const Rule& rule) {
  Entry entry;
  entry.name = rule.name;
  entry.enabled = true;
  entry.interpreter = rule.interpreter;
  entry.flags = rule.flags;
  entry.offset = rule.offset;
  entry.magic = rule.magic;
  entry.mask = rule.mask;
  return entry;
}

struct Entries {
  Rule rule = make_rule(named("aarch64"), "/store/qemu-aarch64");
  Entry own = entry_of(rule);
  Entry rival = renamed("qemu-aarch64", own);
  Entry other = renamed("qemu-arm", entry_of(make_rule(named("arm"), "/usr/bin/qemu-arm")));

  static Entry renamed(std::string name, Entry entry) {
    entry.name = std::move(name);
    return entry;
  }
  Standing standing(const std::vector<Entry>& entries) const {
    return standing_of(entries, named("aarch64"), rule);
  }
};

TEST_CASE("an entry is good if nothing newer takes its programs", "[binfmt]") {
  const Entries e;
  CHECK(e.standing({e.own}) == Standing::good);
  CHECK(e.standing({e.own, e.rival}) == Standing::good);
  CHECK(e.standing({e.other, e.own, e.rival}) == Standing::good);
  CHECK(e.standing({e.rival, e.own}) == Standing::shadowed);
}

TEST_CASE("what is switched off takes nothing", "[binfmt]") {
  Entries e;
  e.rival.enabled = false;
  CHECK(e.standing({e.rival, e.own}) == Standing::good);
  e.own.enabled = false;
  CHECK(e.standing({e.own}) == Standing::disabled);
}

TEST_CASE("an entry may be missing, or not be emud's", "[binfmt]") {
  Entries e;
  CHECK(e.standing({}) == Standing::missing);
  CHECK(e.standing({e.rival}) == Standing::missing);
  e.own.interpreter = "/somebody/elses";
  CHECK(e.standing({e.own}) == Standing::replaced);
}

TEST_CASE("rivals are enabled entries of other names for the same programs", "[binfmt]") {
  Entries e;
  const std::vector<Entry> entries{e.rival, e.own, e.other};
  const auto rivals = rivals_of(entries, named("aarch64"), e.rule.name);
  REQUIRE(rivals.size() == 1);
  CHECK(rivals.front()->name == "qemu-aarch64");
}

}  // namespace
}  // namespace emud
