// The bytes that the kernel compares to recognise a program: magic and mask of each kind of ELF
// file. Source: QEMU's scripts/qemu-binfmt-conf.sh (10.0), whose bytes these are. One difference:
// its entry for microblaze has e_type in the wrong byte order and matches nothing; here it is
// right.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace emud::elf_ident {

using namespace std::string_view_literals;

inline constexpr unsigned short_size = 20;  // up to and with e_machine
inline constexpr unsigned long_size = 40;   // up to and with e_flags of a 32-bit file

// e_flags of MIPS n32 programs, what tells them from o32 (EF_MIPS_ABI2 of elf.h).
inline constexpr char ef_mips_abi2 = 0x20;

// The first bytes of an ET_EXEC file: e_ident with OSABI and ABI version 0, e_type and e_machine;
// in the long form e_version and the lowest byte of e_flags too (`flags`).
template <std::uint16_t machine, bool is_64_bit, bool is_big_endian, unsigned size, char flags>
inline constexpr auto header = [] {
  std::array<char, size> bytes{
      '\x7f', 'E', 'L', 'F', is_64_bit ? '\2' : '\1', is_big_endian ? '\2' : '\1', '\1'};
  constexpr auto low = static_cast<char>(machine & 0xff);
  constexpr auto high = static_cast<char>(machine >> 8);
  bytes[is_big_endian ? 17 : 16] = 2;  // ET_EXEC
  bytes[18] = is_big_endian ? high : low;
  bytes[19] = is_big_endian ? low : high;
  if constexpr (size == long_size) {
    bytes[is_big_endian ? 23 : 20] = 1;  // EV_CURRENT
    bytes[is_big_endian ? 39 : 36] = flags;
  }
  return bytes;
}();

// Masks. All ignore OSABI (byte 7) and accept ET_EXEC and ET_DYN, 2 and 3, alike.
inline constexpr auto little =
    "\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"sv;
inline constexpr auto big =
    "\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"sv;

// i386, x86_64 and alpha: lenient about EI_DATA and EI_VERSION.
inline constexpr auto lenient =
    "\xff\xff\xff\xff\xff\xfe\xfe\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"sv;

// m68k: lenient about EI_VERSION.
inline constexpr auto m68k =
    "\xff\xff\xff\xff\xff\xff\xfe\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"sv;

// ppc64le: the high byte of e_machine is ignored.
inline constexpr auto ppc64le =
    "\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\x00"sv;

// loongarch64: OSABI may be 0 to 3 and the ABI version is ignored.
inline constexpr auto loongarch64 =
    "\xff\xff\xff\xff\xff\xff\xff\xfc\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"sv;

// MIPS: the ABI version is ignored (the GNU C library gives it several values).
inline constexpr auto mips64 =
    "\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"sv;
inline constexpr auto mips64el =
    "\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"sv;

// 32-bit MIPS: e_version and EF_MIPS_ABI2 are compared too.
inline constexpr auto mips =
    "\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"
    "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20"sv;
inline constexpr auto mipsel =
    "\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00"sv;

}  // namespace emud::elf_ident
