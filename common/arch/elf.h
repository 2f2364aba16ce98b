// The little of an ELF file that emud has to know, read defensively: the file may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "arch/architecture.h"

namespace emud {

struct ElfSummary {
  std::uint16_t machine = 0;  // e_machine of elf.h
  bool is_64_bit = false;
  bool is_big_endian = false;
  bool has_interpreter = false;  // PT_INTERP: it needs a dynamic linker
  std::uint16_t type = 0;        // ET_EXEC or ET_DYN
  std::uint64_t end = 0;  // how many bytes of the file its loaded segments and PT_INTERP need
  std::uint64_t interpreter_at = 0;    // where in the file PT_INTERP's path is
  std::uint64_t interpreter_size = 0;  // and its size, the ending NUL included
};

// Reads the ELF header and program headers at the start of a file of either class and byte order.
// `bytes` is the beginning of the file (64 KiB are always enough for the programs of real linkers);
// name is for the error. invalid_argument, with the reason, for anything that is not a whole
// executable's header: no magic, another type than ET_EXEC and ET_DYN, no program headers, or
// program headers that are not of the class's size or not all within `bytes`. The kernel refuses
// the same files (fs/binfmt_elf.c, load_elf_phdrs).
[[nodiscard]] Result<ElfSummary> read_elf(std::span<const std::byte> bytes, std::string_view name);

// The same of an open file, wherever in it the program headers are. In addition: a file that ends
// before the contents its program headers promise, as a broken-off download does, is refused.
[[nodiscard]] Result<ElfSummary> read_elf_file(int fd, std::string_view name);

// The architecture whose magic and mask match the first bytes of a program, as the kernel would: a
// file shorter than the magic counts as followed by zeros. nullptr for none.
[[nodiscard]] const Architecture* match_program(std::span<const std::byte> bytes);

}  // namespace emud
