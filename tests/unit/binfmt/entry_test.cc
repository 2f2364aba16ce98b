#include <string>

#include "binfmt/rule.h"
#include "support/catch.h"

using emud::Entry;
using emud::parse_entry;

namespace {

const emud::Architecture& architecture(std::string_view name) {
  return **emud::find_architecture(name);
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

// An entry file as entry_status of fs/binfmt_misc.c prints it.
std::string printed(const emud::Rule& rule, std::string_view flags) {
  return "enabled\ninterpreter " + rule.interpreter + "\nflags: " + std::string{flags} +
         "\noffset " + std::to_string(rule.offset) + "\nmagic " + hex(rule.magic) + "\nmask " +
         hex(rule.mask) + "\n";
}

Entry parsed(std::string_view text) {
  auto entry = parse_entry("entry", text);
  REQUIRE(entry);
  return *std::move(entry);
}

}  // namespace

TEST_CASE("a magic entry is read back as the rule that made it") {
  for (const emud::Architecture& known : emud::architectures()) {
    INFO(known.name);
    const emud::Rule rule = emud::make_rule(known, "/opt/with space/qemu");
    const Entry entry = parsed(printed(rule, "PF"));
    CHECK(entry.name == "entry");
    CHECK(entry.enabled);
    CHECK(entry.interpreter == rule.interpreter);
    CHECK(entry.flags == "PF");
    CHECK(entry.offset == 0U);
    CHECK(entry.magic == rule.magic);
    CHECK(entry.mask == rule.mask);
    CHECK(entry.extension.empty());
    CHECK(entry.other.empty());
    CHECK(emud::is_same(entry, rule));
    CHECK(emud::architecture_of(entry) == &known);
  }
}

TEST_CASE("an extension entry has no magic and serves no architecture") {
  const Entry entry = parsed("disabled\ninterpreter /usr/bin/wine\nflags: \nextension .exe\n");
  CHECK_FALSE(entry.enabled);
  CHECK(entry.extension == "exe");
  CHECK(entry.magic.empty());
  CHECK_FALSE(entry.offset.has_value());
  CHECK(emud::architecture_of(entry) == nullptr);
}

TEST_CASE("lines of newer kernels are kept") {
  const Entry entry = parsed(
      "enabled\ninterpreter /x\nflags: PTLD\noffset 0\nmagic 7f454c46\nnovel line of text\nbare\n"
      "\nsection: a b\n");
  CHECK(entry.flags == "PTLD");
  CHECK(entry.other == std::map<std::string, std::string>{
                           {"novel", "line of text"}, {"bare", ""}, {"section", "a b"}});
}

TEST_CASE("odd lines never fail") {
  CHECK(parsed("enabled").enabled);
  CHECK(parsed("enabled\ndisabled\n").enabled);
  CHECK(parsed("interpreter /x\nenabled\n").interpreter == "/x");
  CHECK(parsed("enabled\ninterpreter /x\ninterpreter /y\n").interpreter == "/x");
  const Entry odd = parsed("enabled\noffset -3\nmagic 7f\n");
  CHECK_FALSE(odd.offset.has_value());
  CHECK(odd.other.at("offset") == "-3");
  CHECK(emud::architecture_of(odd) == nullptr);
  CHECK_FALSE(parsed("enabled\noffset 99999999999\n").offset.has_value());
  CHECK(parsed("enabled\nmagic\nflags:\n").magic.empty());
}

TEST_CASE("what is no entry is refused") {
  for (const std::string_view text :
       {"", "\n", "interpreter /x\n", "enabled or not\n", "enabled\nmagic 7f4\n",
        "enabled\nmagic 7g\n", "enabled\nmask +1\n", "enabled\nmagic 7f 45\n"}) {
    INFO(text);
    const auto entry = parse_entry("odd", text);
    REQUIRE_FALSE(entry);
    CHECK(entry.error().code == emud::Errc::protocol);
    CHECK(entry.error().object == "odd");
  }
}

TEST_CASE("is_same sees every difference that counts") {
  const emud::Rule rule = emud::make_rule(architecture("aarch64"), "/usr/bin/qemu-aarch64");
  const Entry same = parsed(printed(rule, "FP"));
  CHECK(emud::is_same(same, rule));
  const auto differs = [&](auto edit) {
    Entry entry = same;
    edit(entry);
    return !emud::is_same(entry, rule);
  };
  CHECK_FALSE(differs([](Entry& e) { e.enabled = false; }));
  CHECK(differs([](Entry& e) { e.interpreter += "x"; }));
  CHECK(differs([](Entry& e) { e.flags = "P"; }));
  CHECK(differs([](Entry& e) { e.flags = "POF"; }));
  CHECK(differs([](Entry& e) { e.flags = "PTF"; }));
  CHECK(differs([](Entry& e) { e.offset = 1; }));
  CHECK(differs([](Entry& e) { e.offset = std::nullopt; }));
  CHECK(differs([](Entry& e) { e.magic[18] = 'x'; }));
  CHECK(differs([](Entry& e) { e.mask[7] = '\xff'; }));
  CHECK(differs([](Entry& e) { e.mask.clear(); }));
  CHECK(differs([](Entry& e) { e.extension = "exe"; }));
}

TEST_CASE("C implies O, as the kernel prints it") {
  const emud::Rule rule = emud::make_rule(architecture("arm"), "/usr/bin/qemu-arm", true);
  CHECK(emud::is_same(parsed(printed(rule, "POCF")), rule));
  CHECK_FALSE(emud::is_same(parsed(printed(rule, "PF")), rule));
}

TEST_CASE("no mask means that every bit is compared") {
  const emud::Rule rule{.name = "n",
                        .magic =
                            "\x7f"
                            "ELF",
                        .mask = "\xff\xff\xff\xff",
                        .interpreter = "/x",
                        .flags = "P"};
  const Entry entry = parsed("enabled\ninterpreter /x\nflags: P\noffset 0\nmagic 7f454c46\n");
  CHECK(emud::is_same(entry, rule));
}

TEST_CASE("foreign entries are known by the programs they match") {
  // Debian's for ppc: OSABI compared more strictly than QEMU's own script does.
  emud::Rule debian = emud::make_rule(architecture("ppc"), "/usr/libexec/qemu-binfmt/ppc-binfmt-P");
  debian.mask[7] = '\xfc';
  CHECK(emud::architecture_of(parsed(printed(debian, "POF"))) == &architecture("ppc"));

  // An entry that compares e_machine only, at its offset, cannot tell riscv32 from riscv64.
  CHECK(emud::architecture_of(parsed("enabled\noffset 18\nmagic f300\n")) == nullptr);
  // Every ELF file.
  CHECK(emud::architecture_of(parsed("enabled\noffset 0\nmagic 7f454c46\n")) == nullptr);
  // WSLInterop.
  CHECK(emud::architecture_of(parsed("enabled\noffset 0\nmagic 4d5a\n")) == nullptr);
  // Beyond every magic.
  CHECK(emud::architecture_of(parsed("enabled\noffset 4294967295\nmagic 4d5a\n")) == nullptr);
  // A mask of another length.
  CHECK(emud::architecture_of(parsed("enabled\noffset 0\nmagic 7f454c46\nmask ff\n")) == nullptr);
}

TEST_CASE("a short entry for MIPS counts as o32's") {
  emud::Rule old = emud::make_rule(architecture("mipsel"), "/x");
  old.magic.resize(20);
  old.mask.resize(20);
  CHECK(emud::architecture_of(parsed(printed(old, ""))) == &architecture("mipsel"));
}
