#include <sys/stat.h>
#include <unistd.h>

#include "emulator/fingerprint.h"
#include "emulator/fixtures.h"
#include "emulator/settled.h"

namespace emud {
namespace {

const std::string some_digest(64, 'a');

struct Settled {
  test::TestStore test;
  std::vector<const Architecture*> wanted{&test::aarch64()};

  Settled() {
    REQUIRE(::mkdir(test.paths.state.c_str(), 0755) == 0);
    REQUIRE(::mkdir(test.paths.store().c_str(), 0755) == 0);
    REQUIRE(::mkdir(test.paths.catalog_directory.c_str(), 0755) == 0);
    test::write_file(test.paths.catalog, "{}");
    test::write_file(test.paths.catalog_directory + "/10-own.json", "{}");
  }

  [[nodiscard]] SettledChoices choices(const std::string& version = {}) const {
    return {test.paths, wanted, version};
  }
  void remember(const std::string& version = {}, std::vector<std::string> notes = {}) const {
    choices(version).remember(0, {some_digest, std::move(notes)});
  }
  [[nodiscard]] bool is_known(const std::string& version = {}) const {
    return choices(version).recall().has_value();
  }
  [[nodiscard]] std::string file(std::string_view name) const {
    return test.paths.runtime + "/settled/" + std::string{name};
  }
};

TEST_CASE("a choice is remembered with its notes, for the version that was asked for") {
  const Settled settled;
  CHECK(!settled.is_known());
  settled.remember("7.2", {"It is slow", "Use another"});
  const auto known = settled.choices("7.2").recall();
  REQUIRE(known);
  REQUIRE(known->size() == 1);
  CHECK(known->front().digest == some_digest);
  CHECK(known->front().notes == std::vector<std::string>{"It is slow", "Use another"});
  CHECK(!settled.is_known());
  CHECK(!settled.is_known("7.2.22"));
}

TEST_CASE("a choice is forgotten when a file it depends on changes") {
  const Settled settled;
  const Paths& paths = settled.test.paths;
  settled.remember();
  REQUIRE(settled.is_known());
  SECTION("the catalog") {
    test::write_file(paths.catalog, "{ }");
  }
  SECTION("an addition to it") {
    test::write_file(paths.catalog_directory + "/10-own.json", "{ }");
  }
  SECTION("a new addition") {
    test::write_file(paths.catalog_directory + "/20-more.json", "{}");
  }
  SECTION("an addition less") {
    REQUIRE(::unlink((paths.catalog_directory + "/10-own.json").c_str()) == 0);
  }
  SECTION("the same text in another file") {
    test::write_file(paths.catalog + ".new", "{}");
    REQUIRE(::rename((paths.catalog + ".new").c_str(), paths.catalog.c_str()) == 0);
  }
  SECTION("a store") {
    test::write_file(paths.store() + "/entry", "");
  }
  CHECK(!settled.is_known());
  settled.remember();
  CHECK(settled.is_known());
}

TEST_CASE("a choice belongs to the state before it, so that what it installed is looked at again") {
  const Settled settled;
  const SettledChoices before = settled.choices();
  test::write_file(settled.test.paths.store() + "/entry", "");
  before.remember(0, {some_digest, {}});
  CHECK(!settled.is_known());
}

TEST_CASE("several architectures are known together or not at all") {
  Settled settled;
  settled.remember();
  settled.wanted.push_back(&test::architecture("riscv64"));
  CHECK(!settled.is_known());
  settled.choices().remember(1, {std::string(64, 'b'), {"note"}});
  const auto known = settled.choices().recall();
  REQUIRE(known);
  REQUIRE(known->size() == 2);
  CHECK(known->at(0).digest == some_digest);
  CHECK(known->at(1).digest == std::string(64, 'b'));
  CHECK(known->at(1).notes.size() == 1);
  settled.wanted.clear();
  CHECK(!settled.is_known());
}

TEST_CASE("what cannot be kept safely is not kept") {
  const Settled settled;
  settled.remember("../../outside");
  CHECK(!settled.is_known("../../outside"));
  settled.remember({}, {"two\nlines"});
  CHECK(!settled.is_known());
  settled.remember({}, {std::string(100'000, 'x')});
  CHECK(!settled.is_known());
}

TEST_CASE("a memory that others may write, or that is no file, is none") {
  const Settled settled;
  settled.remember();
  const std::string file = settled.file("aarch64-");
  REQUIRE(settled.is_known());
  SECTION("writable for others") {
    REQUIRE(::chmod(file.c_str(), 0666) == 0);
  }
  SECTION("a symbolic link") {
    REQUIRE(::rename(file.c_str(), (file + ".old").c_str()) == 0);
    REQUIRE(::symlink((file + ".old").c_str(), file.c_str()) == 0);
  }
  SECTION("cut short") {
    REQUIRE(::truncate(file.c_str(), 30) == 0);
  }
  SECTION("a directory") {
    REQUIRE(::unlink(file.c_str()) == 0);
    REQUIRE(::mkdir(file.c_str(), 0755) == 0);
  }
  CHECK(!settled.is_known());
}

TEST_CASE("the state of what is installed sees the machine's own emulators and both stores") {
  Settled settled;
  Paths paths = settled.test.paths;
  const std::string alone = installed_state(paths, test::aarch64());
  CHECK(alone == installed_state(paths, test::aarch64()));
  CHECK(alone != installed_state(paths, test::architecture("riscv64")));
  paths.system_store = settled.test.directory / "system";
  const std::string absent = installed_state(paths, test::aarch64());
  CHECK(absent != alone);
  REQUIRE(::mkdir(paths.system_store.c_str(), 0755) == 0);
  CHECK(installed_state(paths, test::aarch64()) != absent);
}

}  // namespace
}  // namespace emud
