#include "arch/elf.h"

#include <elf.h>

#include <cstddef>

namespace emud {
namespace {

// Numbers of the file's byte order within `bytes`. Callers check the bounds first.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, bool is_big_endian)
      : bytes_(bytes), is_big_endian_(is_big_endian) {}

  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }

 private:
  std::uint64_t number(std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t next = is_big_endian_ ? i : size - 1 - i;
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[at + next]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  bool is_big_endian_;
};

Failure refuse(std::string_view name, std::string_view reason) {
  return fail(Errc::invalid_argument, "read the ELF header of", name, reason,
              "Give a program that is a whole ELF executable");
}

bool matches(const Architecture& architecture, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < architecture.magic.size(); ++i) {
    const std::byte byte = i < bytes.size() ? bytes[i] : std::byte{0};
    const auto magic = static_cast<std::byte>(architecture.magic[i]);
    const auto mask = static_cast<std::byte>(architecture.mask[i]);
    if (((byte ^ magic) & mask) != std::byte{0}) return false;
  }
  return true;
}

}  // namespace

Result<ElfSummary> read_elf(std::span<const std::byte> bytes, std::string_view name) {
  const auto byte_at = [&](std::size_t i) { return std::to_integer<unsigned char>(bytes[i]); };
  if (bytes.size() < EI_NIDENT) return refuse(name, "the file is too short");
  if (byte_at(EI_MAG0) != ELFMAG0 || byte_at(EI_MAG1) != ELFMAG1 || byte_at(EI_MAG2) != ELFMAG2 ||
      byte_at(EI_MAG3) != ELFMAG3) {
    return refuse(name, "the file does not begin with \\x7fELF");
  }
  const unsigned char elf_class = byte_at(EI_CLASS);
  const unsigned char data = byte_at(EI_DATA);
  if (elf_class != ELFCLASS32 && elf_class != ELFCLASS64)
    return refuse(name, "its class is unknown");
  if (data != ELFDATA2LSB && data != ELFDATA2MSB) return refuse(name, "its byte order is unknown");

  ElfSummary summary{.is_64_bit = elf_class == ELFCLASS64, .is_big_endian = data == ELFDATA2MSB};
  const bool wide = summary.is_64_bit;
  if (bytes.size() < (wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) {
    return refuse(name, "the file ends within its ELF header");
  }
  const Reader reader{bytes, summary.is_big_endian};
  summary.type = reader.u16(offsetof(Elf64_Ehdr, e_type));  // the same offset in both classes
  summary.machine = reader.u16(offsetof(Elf64_Ehdr, e_machine));
  if (summary.type != ET_EXEC && summary.type != ET_DYN) {
    return refuse(name, "it is not an executable");
  }

  const std::uint64_t table =
      wide ? reader.u64(offsetof(Elf64_Ehdr, e_phoff)) : reader.u32(offsetof(Elf32_Ehdr, e_phoff));
  const std::size_t size =
      reader.u16(wide ? offsetof(Elf64_Ehdr, e_phentsize) : offsetof(Elf32_Ehdr, e_phentsize));
  const std::size_t count =
      reader.u16(wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum));
  if (count == 0) return refuse(name, "it has no program headers");
  if (size != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr))) {
    return refuse(name, "its program headers are of the wrong size");
  }
  if (table > bytes.size() || count * size > bytes.size() - table) {
    return refuse(name, "its program headers lie beyond what was read");
  }
  for (std::size_t i = 0; i < count; ++i) {
    // p_type is the first member in both classes.
    if (reader.u32(table + i * size) == PT_INTERP) summary.has_interpreter = true;
  }
  return summary;
}

const Architecture* match_program(std::span<const std::byte> bytes) {
  for (const Architecture& architecture : architectures()) {
    if (matches(architecture, bytes)) return &architecture;
  }
  return nullptr;
}

}  // namespace emud
