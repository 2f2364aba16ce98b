#include "arch/elf.h"

#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "arch/probe_image.h"
#include "support/catch.h"

using emud::architectures;
using emud::read_elf;

namespace {

using Bytes = std::vector<std::byte>;

Bytes probe_of(std::string_view name) {
  const auto image = emud::probe_image(**emud::find_architecture(name));
  return {image.begin(), image.end()};
}

void set_u16(Bytes& bytes, std::size_t at, unsigned value, bool big) {
  bytes[at + (big ? 0 : 1)] = static_cast<std::byte>(value >> 8);
  bytes[at + (big ? 1 : 0)] = static_cast<std::byte>(value & 0xff);
}

std::string refusal(const Bytes& bytes) {
  const auto summary = read_elf(bytes, "/bin/odd");
  if (summary) return "accepted";
  CHECK(summary.error().code == emud::Errc::invalid_argument);
  CHECK(summary.error().object == "/bin/odd");
  CHECK_FALSE(summary.error().hint.empty());
  return summary.error().reason;
}

// One image of each class and byte order.
const std::vector<std::string_view> shapes{"aarch64", "ppc64", "arm", "ppc"};

}  // namespace

TEST_CASE("every probe image is read as what it is") {
  for (const emud::Architecture& architecture : architectures()) {
    INFO(architecture.name);
    const auto summary = read_elf(emud::probe_image(architecture), architecture.name);
    REQUIRE(summary);
    CHECK(summary->machine == architecture.machine);
    CHECK(summary->is_64_bit == architecture.is_64_bit);
    CHECK(summary->is_big_endian == architecture.is_big_endian);
    CHECK(summary->type == ET_EXEC);
    CHECK_FALSE(summary->has_interpreter);
  }
}

TEST_CASE(
    "the program running this test needs a dynamic linker or is static, and matches the host") {
  std::vector<char> self(1 << 16);
  FILE* file = std::fopen("/proc/self/exe", "rbe");
  REQUIRE(file != nullptr);
  self.resize(std::fread(self.data(), 1, self.size(), file));
  std::fclose(file);
  const auto summary = read_elf(std::as_bytes(std::span{self}), "self");
  REQUIRE(summary);
  CHECK(summary->is_64_bit == (sizeof(void*) == 8));
  CHECK((summary->type == ET_DYN || summary->type == ET_EXEC));
}

TEST_CASE("PT_INTERP is seen in every class and byte order") {
  for (const std::string_view shape : shapes) {
    INFO(shape);
    const auto architecture = *emud::find_architecture(shape);
    Bytes image = probe_of(shape);
    const std::size_t table = architecture->is_64_bit ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    image[table + (architecture->is_big_endian ? 3 : 0)] = std::byte{PT_INTERP};
    const auto summary = read_elf(image, shape);
    REQUIRE(summary);
    CHECK(summary->has_interpreter);
  }
}

TEST_CASE("every truncation is refused or read, never over-read") {
  for (const std::string_view shape : shapes) {
    const Bytes image = probe_of(shape);
    const std::size_t whole = (*emud::find_architecture(shape))->is_64_bit
                                  ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)
                                  : sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
    for (std::size_t size = 0; size <= image.size(); ++size) {
      const Bytes part(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(read_elf(part, "part").has_value() == (size >= whole));
    }
  }
}

TEST_CASE("what is not an executable is refused with the reason") {
  for (const std::string_view shape : shapes) {
    INFO(shape);
    const auto architecture = *emud::find_architecture(shape);
    const bool wide = architecture->is_64_bit;
    const bool big = architecture->is_big_endian;
    const auto edited = [&](auto edit) {
      Bytes image = probe_of(shape);
      edit(image);
      return refusal(image);
    };
    CHECK(refusal({}) == "the file is too short");
    CHECK(edited([](Bytes& b) { b[0] = std::byte{'#'}; }) ==
          "the file does not begin with \\x7fELF");
    CHECK(edited([](Bytes& b) { b[EI_CLASS] = std::byte{3}; }) == "its class is unknown");
    CHECK(edited([](Bytes& b) { b[EI_DATA] = std::byte{0}; }) == "its byte order is unknown");
    CHECK(edited([&](Bytes& b) { set_u16(b, 16, ET_REL, big); }) == "it is not an executable");
    CHECK(edited([&](Bytes& b) { set_u16(b, 16, ET_CORE, big); }) == "it is not an executable");
    CHECK(edited([&](Bytes& b) { set_u16(b, wide ? 56 : 44, 0, big); }) ==
          "it has no program headers");
    CHECK(edited([&](Bytes& b) { set_u16(b, wide ? 54 : 42, 8, big); }) ==
          "its program headers are of the wrong size");
    CHECK(edited([&](Bytes& b) { set_u16(b, wide ? 56 : 44, 0xffff, big); }) ==
          "its program headers lie beyond what was read");
    CHECK(edited([&](Bytes& b) {
            std::fill_n(b.begin() + (wide ? 32 : 28), wide ? 8 : 4, std::byte{0xff});
          }) == "its program headers lie beyond what was read");
  }
}

TEST_CASE("a program matches exactly its own architecture") {
  for (const emud::Architecture& architecture : architectures()) {
    INFO(architecture.name);
    CHECK(emud::match_program(emud::probe_image(architecture)) == &architecture);
  }
}

TEST_CASE("position-independent and odd OSABI programs match like fixed ones") {
  Bytes image = probe_of("aarch64");
  image[16] = std::byte{ET_DYN};
  image[EI_OSABI] = std::byte{ELFOSABI_GNU};
  REQUIRE(emud::match_program(image) != nullptr);
  CHECK(emud::match_program(image)->name == "aarch64");
}

TEST_CASE("no architecture matches what is no program of one") {
  const std::string script = "#!/bin/sh\nexit 0\n";
  CHECK(emud::match_program(std::as_bytes(std::span{script})) == nullptr);
  CHECK(emud::match_program({}) == nullptr);
  Bytes unknown = probe_of("aarch64");
  unknown[18] = std::byte{0xee};
  CHECK(emud::match_program(unknown) == nullptr);
}

TEST_CASE("a file shorter than the magic is compared as followed by zeros") {
  const Bytes o32 = probe_of("mipsel");
  const Bytes head(o32.begin(), o32.begin() + 22);  // e_version's other bytes and e_flags are 0
  REQUIRE(emud::match_program(head) != nullptr);
  CHECK(emud::match_program(head)->name == "mipsel");
}
