// How a probe image is described, and its assembly at compile time. Private to probe_image and its
// tests.
#pragma once

#include <elf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "arch/architecture_table.h"
#include "arch/probe_image.h"

namespace emud::probe {

// One machine instruction. `code` holds its hexadecimal units as an instruction-set manual writes
// them, with spaces between units: "d2800020" (one 32-bit unit), "243c 0040 0100" (16-bit units),
// "b8 04 00 00 00" (bytes). `text` is the assembly as the disassembler that checks it prints it
// (tests/integration/oracle_probes.py: GNU objdump, for a few LLVM's or QEMU's own).
struct Instruction {
  std::string_view code;
  std::string_view text;
};

enum class CodeOrder { as_data, little };  // the order of the bytes of a unit
enum class Entry { code, descriptor };     // ppc64 ELFv1: e_entry points to a function descriptor

struct Program {
  std::string_view architecture;
  std::uint32_t flags = 0;  // e_flags
  std::span<const Instruction> instructions;
  CodeOrder code_order = CodeOrder::as_data;
  Entry entry = Entry::code;
};

// One PT_LOAD maps the whole file at `base`, a multiple of every page size in use and above every
// mmap_min_addr. The instructions know where the line is: line_address is 0x400100.
inline constexpr std::uint64_t base = 0x400000;
inline constexpr std::size_t code_at = 0x80;  // behind the ELF header and one program header
inline constexpr std::size_t line_at = 0x100;
inline constexpr std::size_t descriptor_at = 0x110;
inline constexpr std::size_t image_size = 0x128;
inline constexpr std::uint64_t page_size = 0x10000;  // p_align: the largest of Linux targets' pages

using Image = std::array<std::byte, image_size>;

class Assembler {
 public:
  constexpr Assembler(Image& image, bool is_big_endian) : image_(image), big_(is_big_endian) {}

  constexpr void seek(std::size_t at) { at_ = at; }
  constexpr void put(std::uint64_t value, std::size_t size) { put(value, size, big_); }
  constexpr void put(std::uint64_t value, std::size_t size, bool big) {
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t shift = 8 * (big ? size - 1 - i : i);
      image_[at_ + i] = static_cast<std::byte>(value >> shift & 0xff);
    }
    at_ += size;
  }
  constexpr void put(std::string_view bytes) {
    for (const char c : bytes) put(static_cast<unsigned char>(c), 1);
  }

  // Throws, and so does not compile, where `code` is not units of hexadecimal bytes.
  constexpr void put_units(std::string_view code, bool big) {
    while (!code.empty()) {
      const std::string_view unit = code.substr(0, code.find(' '));
      code.remove_prefix(unit.size());
      if (code.starts_with(' ')) code.remove_prefix(1);
      if (unit.empty() || unit.size() % 2 != 0) throw "a unit is not whole bytes";
      std::uint64_t value = 0;
      for (const char c : unit) value = value << 4 | digit(c);
      put(value, unit.size() / 2, big);
    }
  }
  constexpr std::size_t at() const { return at_; }

 private:
  static constexpr std::uint64_t digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint64_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint64_t>(c - 'a' + 10);
    throw "not a hexadecimal digit";
  }

  Image& image_;
  bool big_;
  std::size_t at_ = 0;
};

// The ELF header begins with the very bytes the kernel's entry compares; what follows e_machine is
// written here. Word sizes follow Elf32_Ehdr, Elf64_Ehdr, Elf32_Phdr and Elf64_Phdr of elf.h.
constexpr void put_headers(Assembler& out, const Architecture& architecture, const Program& program,
                           std::uint64_t entry) {
  const bool wide = architecture.is_64_bit;
  const std::size_t word = wide ? 8 : 4;
  const std::size_t header = wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  out.put(architecture.magic.substr(0, elf_ident::short_size));
  out.put(EV_CURRENT, 4);
  out.put(entry, word);
  out.put(header, word);  // e_phoff
  out.put(0, word);       // e_shoff
  out.put(program.flags, 4);
  out.put(header, 2);  // e_ehsize
  out.put(wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), 2);
  out.put(1, 2);  // e_phnum
  out.put(0, 6);  // e_shentsize, e_shnum, e_shstrndx

  out.put(PT_LOAD, 4);
  if (wide) out.put(PF_R | PF_X, 4);
  out.put(0, word);           // p_offset
  out.put(base, word);        // p_vaddr
  out.put(base, word);        // p_paddr
  out.put(image_size, word);  // p_filesz
  out.put(image_size, word);  // p_memsz
  if (!wide) out.put(PF_R | PF_X, 4);
  out.put(page_size, word);
}

consteval const Architecture& find(std::string_view name) {
  for (const Architecture& known : architecture_table::table) {
    if (known.name == name) return known;
  }
  throw "no such architecture";
}

consteval Image assemble(const Program& program) {
  const Architecture& architecture = find(program.architecture);
  Image image{};
  Assembler out{image, architecture.is_big_endian};
  const bool has_descriptor = program.entry == Entry::descriptor;
  put_headers(out, architecture, program, base + (has_descriptor ? descriptor_at : code_at));
  out.seek(code_at);
  const bool big = architecture.is_big_endian && program.code_order == CodeOrder::as_data;
  for (const Instruction& instruction : program.instructions) out.put_units(instruction.code, big);
  if (out.at() > line_at) throw "the code runs into the line";
  out.seek(line_at);
  out.put(probe_line);
  if (has_descriptor) {
    out.seek(descriptor_at);
    out.put(base + code_at, 8);  // the function; its TOC and environment pointers stay 0
  }
  return image;
}

// A description and what was made of it.
struct Probe {
  Program program;
  Image image;
};

consteval Probe make(const Program& program) {
  return {program, assemble(program)};
}

// Every probe there is. The three tables keep each file readable.
[[nodiscard]] std::span<const Probe> common_probes();      // the architectures in everyday use
[[nodiscard]] std::span<const Probe> mips_sparc_probes();  // the families with several ABIs
[[nodiscard]] std::span<const Probe> other_probes();

inline std::array<std::span<const Probe>, 3> all_probes() {
  return {common_probes(), mips_sparc_probes(), other_probes()};
}

}  // namespace emud::probe
