#include "emulator/interpreter.h"

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace emud {
namespace {

// Within the terabyte above ELF_ET_DYN_BASE (0x555555554000, arch/x86/include/asm/elf.h) in which
// the kernel puts other programs at random, and the heap of a static PIE: nothing that QEMU or a
// guest asks for at a fixed address. Far above its beginning, where QEMU puts the guest's own PIE
// programs of some CPUs with their heaps (ELF_ET_DYN_BASE in linux-user/*/target_mman.h).
constexpr std::uint64_t address = 0x5600'0000'0000;

// What comes before the emulator's bytes in the file: the headers that the kernel reads. A multiple
// of the page size, since mmap(2) takes nothing else.
constexpr std::uint64_t page = 4096;

constexpr std::size_t most_program_headers = 64;

// A file's bytes. Nothing outside of them is read or written.
class Image {
 public:
  explicit Image(std::string bytes) : bytes_(std::move(bytes)) {}

  template <class T>
  [[nodiscard]] bool read(std::uint64_t at, T& value) const {
    if (!contains(at, sizeof value)) return false;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return true;
  }
  template <class T>
  [[nodiscard]] bool write(std::uint64_t at, const T& value) {
    if (!contains(at, sizeof value)) return false;
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return true;
  }
  [[nodiscard]] bool contains(std::uint64_t at, std::uint64_t size) const {
    return at <= bytes_.size() && size <= bytes_.size() - at;
  }
  [[nodiscard]] std::string bytes() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

using ProgramHeaders = std::vector<Elf64_Phdr>;

bool is_candidate(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         header.e_type == ET_DYN && header.e_machine == EM_X86_64 &&
         header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum <= most_program_headers;
}

// With their places in the new file. Empty where they cannot be had.
ProgramHeaders read_program_headers(const Image& image, const Elf64_Ehdr& header) {
  ProgramHeaders result(header.e_phnum);
  if (!image.contains(header.e_phoff, 0)) return {};
  std::uint64_t at = page + header.e_phoff;
  for (Elf64_Phdr& each : result) {
    if (!image.read(at, each) || !image.contains(each.p_offset, 0)) return {};
    each.p_offset += page;
    if (!image.contains(each.p_offset, each.p_filesz)) return {};
    at += sizeof each;
  }
  return result;
}

// The part of a segment that the file has.
bool holds(const Elf64_Phdr& segment, std::uint64_t at, std::uint64_t size) {
  return segment.p_type == PT_LOAD && at >= segment.p_vaddr && size <= segment.p_filesz &&
         at - segment.p_vaddr <= segment.p_filesz - size;
}

// Where in the file `size` bytes of memory are. Only what is writable in memory, if so wanted.
std::optional<std::uint64_t> place_of(const ProgramHeaders& headers, std::uint64_t at,
                                      std::uint64_t size, std::uint32_t flags) {
  for (const Elf64_Phdr& segment : headers) {
    if (holds(segment, at, size) && (segment.p_flags & flags) == flags)
      return segment.p_offset + (at - segment.p_vaddr);
  }
  return std::nullopt;
}

struct Tag {
  std::uint64_t at = 0;  // in the file
  Elf64_Dyn entry{};
};

// The dynamic section; empty where there is none, or one of a program that needs a linker, or has
// relocations of another form.
std::map<std::int64_t, Tag> read_tags(const Image& image, const ProgramHeaders& headers) {
  std::map<std::int64_t, Tag> tags;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_INTERP) return {};
    if (header.p_type != PT_DYNAMIC) continue;
    for (std::uint64_t i = 0; i + sizeof(Elf64_Dyn) <= header.p_filesz; i += sizeof(Elf64_Dyn)) {
      Tag tag{.at = header.p_offset + i, .entry = {}};
      if (!image.read(tag.at, tag.entry)) return {};
      if (tag.entry.d_tag == DT_NULL) break;
      tags[tag.entry.d_tag] = tag;
    }
  }
  for (const std::int64_t other : {DT_NEEDED, DT_TEXTREL, DT_REL, DT_RELR}) {
    if (tags.contains(other)) return {};
  }
  for (const std::int64_t wanted : {DT_RELA, DT_RELASZ, DT_RELAENT}) {
    if (!tags.contains(wanted)) return {};
  }
  return tags;
}

// Does the relative relocations at the beginning of the table, where linkers put them (-z
// combreloc), and returns how many; nothing when one is impossible.
std::optional<std::uint64_t> relocate(Image& image, const ProgramHeaders& headers,
                                      std::uint64_t table, std::uint64_t size) {
  const auto begin = place_of(headers, table, size, 0);
  if (!begin) return std::nullopt;
  std::uint64_t done = 0;
  for (; (done + 1) * sizeof(Elf64_Rela) <= size; ++done) {
    Elf64_Rela relocation{};
    if (!image.read(*begin + done * sizeof relocation, relocation)) return std::nullopt;
    if (ELF64_R_TYPE(relocation.r_info) != R_X86_64_RELATIVE) break;
    const std::uint64_t value = address + static_cast<std::uint64_t>(relocation.r_addend);
    const auto place = place_of(headers, relocation.r_offset, sizeof value, PF_W);
    if (!place || !image.write(*place, value)) return std::nullopt;
  }
  return done;
}

// The first segment has the ELF header and the program headers, up to `end`, as linkers put them.
bool starts_with_headers(const ProgramHeaders& headers, std::uint64_t end) {
  for (const Elf64_Phdr& each : headers) {
    if (each.p_type == PT_LOAD)
      return each.p_offset == page && each.p_vaddr == 0 && each.p_filesz >= end;
  }
  return false;
}

// What the program finds at its start: a table without those that are done.
bool leave_out(Image& image, std::map<std::int64_t, Tag>& tags, std::uint64_t done) {
  tags[DT_RELA].entry.d_un.d_ptr += done * sizeof(Elf64_Rela);
  tags[DT_RELASZ].entry.d_un.d_val -= done * sizeof(Elf64_Rela);
  if (const auto count = tags.find(DT_RELACOUNT); count != tags.end())
    count->second.entry.d_un.d_val = 0;
  for (const std::int64_t changed : {DT_RELA, DT_RELASZ, DT_RELACOUNT}) {
    const auto tag = tags.find(changed);
    if (tag != tags.end() && !image.write(tag->second.at, tag->second.entry)) return false;
  }
  return true;
}

// Debuggers and profilers go by sections. They can do without.
bool move_sections(Image& image, Elf64_Ehdr& header) {
  if (header.e_shentsize != sizeof(Elf64_Shdr) || !image.contains(header.e_shoff, 0)) return false;
  header.e_shoff += page;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const std::uint64_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    Elf64_Shdr section{};
    if (!image.read(at, section)) return false;
    section.sh_offset += page;
    if ((section.sh_flags & SHF_ALLOC) != 0) section.sh_addr += address;
    if (!image.write(at, section)) return false;
  }
  return true;
}

// Whether tools or the kernel look at it in the file. The others only the program's start does.
bool is_for_others(const Elf64_Phdr& header) {
  return header.p_type != PT_PHDR && header.p_type != PT_GNU_RELRO;
}

// Writes the headers for the kernel (load_elf_binary, fs/binfmt_elf.c) into the first page: they
// say where the segments belong. The program must not see these. Its C library takes the address at
// which it finds its own ELF header for what all addresses in its headers lack, at its start and
// whenever it looks for a function's unwind information (dl_iterate_phdr(3)). So the first page is
// a segment of its own, at the place where the next, with the headers as they were, is mapped over
// it: the kernel tells the program where in that page the headers are (AT_PHDR), and how many.
bool write_headers(Image& image, Elf64_Ehdr header, const ProgramHeaders& headers) {
  const std::uint64_t end = header.e_phoff + headers.size() * sizeof(Elf64_Phdr);
  if (header.e_phoff < sizeof header || end > page || !starts_with_headers(headers, end))
    return false;
  ProgramHeaders written{{.p_type = PT_LOAD,
                          .p_flags = PF_R,
                          .p_offset = 0,
                          .p_vaddr = address,
                          .p_paddr = address,
                          .p_filesz = end,
                          .p_memsz = end,
                          .p_align = page}};
  for (Elf64_Phdr each : headers) {
    if (!is_for_others(each)) continue;
    each.p_vaddr += address;
    each.p_paddr += address;
    written.push_back(each);
  }
  if (written.size() > headers.size()) return false;
  written.resize(headers.size());  // with PT_NULL
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (!image.write(header.e_phoff + i * sizeof written[i], written[i])) return false;
  }
  if (!move_sections(image, header)) header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
  header.e_type = ET_EXEC;
  header.e_entry += address;
  return image.write(0, header);
}

}  // namespace

std::optional<std::string> compose_interpreter(std::string emulator) {
  emulator.insert(0, page, '\0');
  Image image{std::move(emulator)};
  Elf64_Ehdr header{};
  if (!image.read(page, header) || !is_candidate(header)) return std::nullopt;
  const ProgramHeaders headers = read_program_headers(image, header);
  auto tags = read_tags(image, headers);
  if (tags.empty() || tags[DT_RELAENT].entry.d_un.d_val != sizeof(Elf64_Rela)) return std::nullopt;
  const auto done =
      relocate(image, headers, tags[DT_RELA].entry.d_un.d_ptr, tags[DT_RELASZ].entry.d_un.d_val);
  if (!done || *done == 0) return std::nullopt;
  if (!leave_out(image, tags, *done) || !write_headers(image, header, headers)) return std::nullopt;
  return std::move(image).bytes();
}

}  // namespace emud
