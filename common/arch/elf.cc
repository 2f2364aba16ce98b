#include "arch/elf.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

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

struct ElfHeader {
  ElfSummary summary;
  std::uint64_t table = 0;  // where the program headers begin
  std::size_t count = 0;

  [[nodiscard]] std::size_t entry_size() const {
    return summary.is_64_bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  }
  [[nodiscard]] std::size_t table_size() const { return count * entry_size(); }
};

// bytes: the beginning of the file.
Result<ElfHeader> read_header(std::span<const std::byte> bytes, std::string_view name) {
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

  ElfHeader header;
  ElfSummary& summary = header.summary;
  summary.is_64_bit = elf_class == ELFCLASS64;
  summary.is_big_endian = data == ELFDATA2MSB;
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
  header.table =
      wide ? reader.u64(offsetof(Elf64_Ehdr, e_phoff)) : reader.u32(offsetof(Elf32_Ehdr, e_phoff));
  header.count = reader.u16(wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum));
  const std::size_t entry_size =
      reader.u16(wide ? offsetof(Elf64_Ehdr, e_phentsize) : offsetof(Elf32_Ehdr, e_phentsize));
  if (header.count == 0) return refuse(name, "it has no program headers");
  if (entry_size != header.entry_size()) {
    return refuse(name, "its program headers are of the wrong size");
  }
  return header;
}

// table: all the program headers.
Result<> read_table(ElfHeader& header, std::span<const std::byte> table, std::string_view name) {
  ElfSummary& summary = header.summary;
  const Reader reader{table, summary.is_big_endian};
  for (std::size_t at = 0; at < table.size(); at += header.entry_size()) {
    const std::uint32_t type = reader.u32(at);  // the first member in both classes
    if (type != PT_LOAD && type != PT_INTERP) continue;
    const bool wide = summary.is_64_bit;
    const std::uint64_t offset = wide ? reader.u64(at + offsetof(Elf64_Phdr, p_offset))
                                      : reader.u32(at + offsetof(Elf32_Phdr, p_offset));
    const std::uint64_t size = wide ? reader.u64(at + offsetof(Elf64_Phdr, p_filesz))
                                    : reader.u32(at + offsetof(Elf32_Phdr, p_filesz));
    if (offset + size < offset) return refuse(name, "a program header's size is impossible");
    if (size > 0) summary.end = std::max(summary.end, offset + size);
    if (type != PT_INTERP) continue;
    summary.has_interpreter = true;
    summary.interpreter_at = offset;
    summary.interpreter_size = size;
  }
  return {};
}

// At most `size` bytes from `offset` on; fewer where the file ends.
Result<std::vector<std::byte>> read_at(int fd, std::uint64_t offset, std::size_t size,
                                       std::string_view name) {
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read", name);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
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
  EMUD_ASSIGN(ElfHeader header, read_header(bytes, name));
  if (header.table > bytes.size() || header.table_size() > bytes.size() - header.table) {
    return refuse(name, "its program headers lie beyond what was read");
  }
  EMUD_TRY(read_table(header, bytes.subspan(header.table, header.table_size()), name));
  return header.summary;
}

Result<ElfSummary> read_elf_file(int fd, std::string_view name) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail_errno("look at", name);
  const auto file_size = static_cast<std::uint64_t>(info.st_size);
  EMUD_ASSIGN(const auto start, read_at(fd, 0, sizeof(Elf64_Ehdr), name));
  EMUD_ASSIGN(ElfHeader header, read_header(start, name));
  if (header.table > file_size || header.table_size() > file_size - header.table) {
    return refuse(name, "the file ends within its program headers");
  }
  EMUD_ASSIGN(const auto table, read_at(fd, header.table, header.table_size(), name));
  if (table.size() < header.table_size()) {
    return refuse(name, "the file ends within its program headers");
  }
  EMUD_TRY(read_table(header, table, name));
  if (header.summary.end > file_size) {
    return refuse(name, fmt::format("the file is cut off: it has {} bytes of the {} that its "
                                    "program headers tell of",
                                    file_size, header.summary.end));
  }
  return header.summary;
}

const Architecture* match_program(std::span<const std::byte> bytes) {
  for (const Architecture& architecture : architectures()) {
    if (matches(architecture, bytes)) return &architecture;
  }
  return nullptr;
}

}  // namespace emud
