// Probes of MIPS and SPARC, whose ABIs number their system calls apart. See
// probe_programs_common.cc.
#include "arch/probe_program.h"

namespace emud::probe {
namespace {

constexpr std::uint32_t ef_mips_o32 = 0x1000 | EF_MIPS_ARCH_1;  // E_MIPS_ABI_O32
constexpr std::uint32_t ef_mips_n32 = EF_MIPS_ABI2 | EF_MIPS_ARCH_3;
constexpr std::uint32_t ef_mips_n64 = EF_MIPS_ARCH_3;

constexpr std::array<Instruction, 9> mips_o32{{
    {"24020fa4", "li v0,4004"},
    {"24040001", "li a0,1"},
    {"3c050040", "lui a1,0x40"},
    {"34a50100", "ori a1,a1,0x100"},
    {"2406000b", "li a2,11"},
    {"0000000c", "syscall"},
    {"24020fa1", "li v0,4001"},
    {"24040000", "li a0,0"},
    {"0000000c", "syscall"},
}};

constexpr std::array<Instruction, 9> mips_n32{{
    {"24021771", "li v0,6001"},
    {"24040001", "li a0,1"},
    {"3c050040", "lui a1,0x40"},
    {"34a50100", "ori a1,a1,0x100"},
    {"2406000b", "li a2,11"},
    {"0000000c", "syscall"},
    {"240217aa", "li v0,6058"},
    {"24040000", "li a0,0"},
    {"0000000c", "syscall"},
}};

constexpr std::array<Instruction, 9> mips_n64{{
    {"24021389", "li v0,5001"},
    {"24040001", "li a0,1"},
    {"3c050040", "lui a1,0x40"},
    {"34a50100", "ori a1,a1,0x100"},
    {"2406000b", "li a2,11"},
    {"0000000c", "syscall"},
    {"240213c2", "li v0,5058"},
    {"24040000", "li a0,0"},
    {"0000000c", "syscall"},
}};

constexpr std::array<Instruction, 9> sparc{{
    {"82102004", "mov 4, %g1"},
    {"90102001", "mov 1, %o0"},
    {"13001000", "sethi %hi(0x400000), %o1"},
    {"92126100", "or %o1, 0x100, %o1"},
    {"9410200b", "mov 0xb, %o2"},
    {"91d02010", "ta 0x10"},
    {"82102001", "mov 1, %g1"},
    {"90102000", "clr %o0"},
    {"91d02010", "ta 0x10"},
}};

constexpr std::array<Instruction, 9> sparc64{{
    {"82102004", "mov 4, %g1"},
    {"90102001", "mov 1, %o0"},
    {"13001000", "sethi %hi(0x400000), %o1"},
    {"92126100", "or %o1, 0x100, %o1"},
    {"9410200b", "mov 0xb, %o2"},
    {"91d0206d", "ta 0x6d"},
    {"82102001", "mov 1, %g1"},
    {"90102000", "clr %o0"},
    {"91d0206d", "ta 0x6d"},
}};

constexpr std::array mips_sparc_table{
    make({"mips", ef_mips_o32, mips_o32}),
    make({"mips64", ef_mips_n64, mips_n64}),
    make({"mips64el", ef_mips_n64, mips_n64}),
    make({"mipsel", ef_mips_o32, mips_o32}),
    make({"mipsn32", ef_mips_n32, mips_n32}),
    make({"mipsn32el", ef_mips_n32, mips_n32}),
    make({"sparc", 0, sparc}),
    make({"sparc32plus", EF_SPARC_32PLUS, sparc}),
    make({"sparc64", 0, sparc64}),
};

}  // namespace

std::span<const Probe> mips_sparc_probes() {
  return mips_sparc_table;
}

}  // namespace emud::probe
