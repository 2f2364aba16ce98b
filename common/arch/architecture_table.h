// The table of architectures, complete at compile time so that probe images can be built from it.
#pragma once

#include <elf.h>

#include <array>
#include <span>
#include <string_view>

#include "arch/architecture.h"
#include "arch/elf_ident.h"

namespace emud::architecture_table {

using namespace std::string_view_literals;

// What old linkers wrote, and what QEMU's entry compares; elf.h has the registered number, 189,
// only.
inline constexpr std::uint16_t em_microblaze_old = 0xbaab;

inline constexpr std::array aarch64_aliases{"arm64"sv,       "armv8"sv,          "arm64v8"sv,
                                            "linux/arm64"sv, "linux/arm64/v8"sv, "linux/aarch64"sv};
inline constexpr std::array aarch64_be_aliases{"arm64be"sv, "arm64_be"sv};
inline constexpr std::array arm_aliases{
    "armhf"sv,        "armel"sv,        "armv4l"sv,       "armv4tl"sv,      "armv5"sv,
    "armv5l"sv,       "armv5te"sv,      "armv5tel"sv,     "armv5tejl"sv,    "armv6"sv,
    "armv6l"sv,       "armv7"sv,        "armv7l"sv,       "armv7hl"sv,      "armv7hnl"sv,
    "armv7a"sv,       "armv8l"sv,       "arm32v5"sv,      "arm32v6"sv,      "arm32v7"sv,
    "linux/arm"sv,    "linux/arm/v5"sv, "linux/arm/v6"sv, "linux/arm/v7"sv, "armv5tel-linux"sv,
    "armv6l-linux"sv, "armv7a-linux"sv};
inline constexpr std::array armeb_aliases{"armv5teb"sv, "armv6b"sv, "armv7b"sv, "armv8b"sv};
inline constexpr std::array cris_aliases{"crisv32"sv};
inline constexpr std::array hppa_aliases{"parisc"sv, "parisc64"sv};
inline constexpr std::array i386_aliases{"i486"sv, "i586"sv,      "i686"sv,       "x86"sv,
                                         "386"sv,  "linux/386"sv, "linux/i386"sv, "i386-linux"sv};
inline constexpr std::array loongarch64_aliases{"loong64"sv, "linux/loong64"sv};
inline constexpr std::array m68k_aliases{"m68000"sv};
inline constexpr std::array mips_aliases{"linux/mips"sv, "mipsr6"sv, "mipsisa32r6"sv};
inline constexpr std::array mips64_aliases{"linux/mips64"sv, "mips64r6"sv, "mipsisa64r6"sv};
inline constexpr std::array mips64el_aliases{"mips64le"sv, "linux/mips64le"sv, "mips64r6el"sv,
                                             "mipsisa64r6el"sv};
inline constexpr std::array mipsel_aliases{"mipsle"sv, "linux/mipsle"sv, "mipsr6el"sv,
                                           "mipsisa32r6el"sv};
inline constexpr std::array or1k_aliases{"openrisc"sv};
inline constexpr std::array ppc_aliases{"powerpc"sv, "linux/ppc"sv};
inline constexpr std::array ppc64_aliases{"powerpc64"sv, "linux/ppc64"sv};
inline constexpr std::array ppc64le_aliases{"ppc64el"sv, "powerpc64le"sv, "powerpc64el"sv,
                                            "linux/ppc64le"sv};
inline constexpr std::array riscv32_aliases{"rv32"sv, "riscv32gc"sv, "linux/riscv32"sv};
inline constexpr std::array riscv64_aliases{"rv64"sv, "riscv64gc"sv, "linux/riscv64"sv};
inline constexpr std::array s390x_aliases{"linux/s390x"sv};
inline constexpr std::array sh4_aliases{"sh4a"sv};
inline constexpr std::array sh4eb_aliases{"sh4aeb"sv};
inline constexpr std::array sparc32plus_aliases{"sparcv8plus"sv};
inline constexpr std::array sparc64_aliases{"sparcv9"sv, "linux/sparc64"sv};
inline constexpr std::array x86_64_aliases{"amd64"sv, "x86-64"sv, "x64"sv, "linux/amd64"sv,
                                           "linux/x86_64"sv};

enum class Kind { little_32, little_64, big_32, big_64 };
using enum Kind;

template <std::uint16_t machine, Kind kind, unsigned size = elf_ident::short_size, char flags = 0>
constexpr Architecture entry(std::string_view name, std::string_view nix_system,
                             std::string_view mask, std::span<const std::string_view> aliases) {
  constexpr bool is_64_bit = kind == little_64 || kind == big_64;
  constexpr bool is_big_endian = kind == big_32 || kind == big_64;
  constexpr auto& header = elf_ident::header<machine, is_64_bit, is_big_endian, size, flags>;
  return Architecture{.name = name,
                      .aliases = aliases,
                      .nix_system = nix_system,
                      .magic = {header.data(), header.size()},
                      .mask = mask,
                      .machine = machine,
                      .is_64_bit = is_64_bit,
                      .is_big_endian = is_big_endian};
}

// The user-mode targets of QEMU 7.2 to 11; cris went with 9.2, nios2 with 9.1. nios2 has no entry
// in QEMU's script: its bytes follow the others'.
inline constexpr auto table = [] {
  using namespace elf_ident;
  return std::to_array<Architecture>({
      entry<EM_AARCH64, little_64>("aarch64", "aarch64-linux", little, aarch64_aliases),
      entry<EM_AARCH64, big_64>("aarch64_be", "aarch64_be-linux", big, aarch64_be_aliases),
      entry<EM_ALPHA, little_64>("alpha", "alpha-linux", lenient, {}),
      entry<EM_ARM, little_32>("arm", "armv7l-linux", little, arm_aliases),
      entry<EM_ARM, big_32>("armeb", "", big, armeb_aliases),
      entry<EM_CRIS, little_32>("cris", "", little, cris_aliases),
      entry<EM_QDSP6, little_32>("hexagon", "", little, {}),
      entry<EM_PARISC, big_32>("hppa", "", big, hppa_aliases),
      entry<EM_386, little_32>("i386", "i686-linux", lenient, i386_aliases),
      entry<EM_LOONGARCH, little_64>("loongarch64", "loongarch64-linux", loongarch64,
                                     loongarch64_aliases),
      entry<EM_68K, big_32>("m68k", "m68k-linux", m68k, m68k_aliases),
      entry<em_microblaze_old, big_32>("microblaze", "microblaze-linux", big, {}),
      entry<em_microblaze_old, little_32>("microblazeel", "microblazeel-linux", little, {}),
      entry<EM_MIPS, big_32, long_size, 0>("mips", "mips-linux", mips, mips_aliases),
      entry<EM_MIPS, big_64>("mips64", "mips64-linux", mips64, mips64_aliases),
      entry<EM_MIPS, little_64>("mips64el", "mips64el-linux", mips64el, mips64el_aliases),
      entry<EM_MIPS, little_32, long_size, 0>("mipsel", "mipsel-linux", mipsel, mipsel_aliases),
      entry<EM_MIPS, big_32, long_size, ef_mips_abi2>("mipsn32", "", mips, {}),
      entry<EM_MIPS, little_32, long_size, ef_mips_abi2>("mipsn32el", "", mipsel, {}),
      entry<EM_ALTERA_NIOS2, little_32>("nios2", "", little, {}),
      entry<EM_OPENRISC, big_32>("or1k", "or1k-linux", big, or1k_aliases),
      entry<EM_PPC, big_32>("ppc", "powerpc-linux", big, ppc_aliases),
      entry<EM_PPC64, big_64>("ppc64", "powerpc64-linux", big, ppc64_aliases),
      entry<EM_PPC64, little_64>("ppc64le", "powerpc64le-linux", ppc64le, ppc64le_aliases),
      entry<EM_RISCV, little_32>("riscv32", "riscv32-linux", little, riscv32_aliases),
      entry<EM_RISCV, little_64>("riscv64", "riscv64-linux", little, riscv64_aliases),
      entry<EM_S390, big_64>("s390x", "s390x-linux", big, s390x_aliases),
      entry<EM_SH, little_32>("sh4", "sh4-linux", little, sh4_aliases),
      entry<EM_SH, big_32>("sh4eb", "", big, sh4eb_aliases),
      entry<EM_SPARC, big_32>("sparc", "sparc-linux", big, {}),
      entry<EM_SPARC32PLUS, big_32>("sparc32plus", "", big, sparc32plus_aliases),
      entry<EM_SPARCV9, big_64>("sparc64", "sparc64-linux", big, sparc64_aliases),
      entry<EM_X86_64, little_64>("x86_64", "x86_64-linux", lenient, x86_64_aliases),
      entry<EM_XTENSA, little_32>("xtensa", "", little, {}),
      entry<EM_XTENSA, big_32>("xtensaeb", "", big, {}),
  });
}();

}  // namespace emud::architecture_table
