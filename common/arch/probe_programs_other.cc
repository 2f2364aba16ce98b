// Probes of the rarer architectures. See probe_programs_common.cc.
#include "arch/probe_program.h"

namespace emud::probe {
namespace {

constexpr std::uint32_t ef_hexagon_v60 = 0x60;
constexpr std::uint32_t ef_parisc_1_1 = EFA_PARISC_1_1;
constexpr std::uint32_t ef_sh4 = EF_SH4;

constexpr std::array<Instruction, 9> alpha{{
    {"201f0004", "lda v0,4"},
    {"221f0001", "lda a0,1"},
    {"263f0040", "ldah a1,64"},
    {"22310100", "lda a1,256(a1)"},
    {"225f000b", "lda a2,11"},
    {"00000083", "callsys"},
    {"201f0001", "lda v0,1"},
    {"221f0000", "lda a0,0"},
    {"00000083", "callsys"},
}};

constexpr std::array<Instruction, 8> cris{{
    {"9244", "moveq 4,$r9"},
    {"a241", "moveq 1,$r10"},
    {"be6f 0100 0040", "move.d 0x400100,$r11"},  // the low half comes first
    {"c24b", "moveq 11,$r12"},
    {"e93d", "break 13"},
    {"9241", "moveq 1,$r9"},
    {"a240", "moveq 0,$r10"},
    {"e93d", "break 13"},
}};

constexpr std::array<Instruction, 9> hexagon{{
    {"7800c806", "{ r6 = #0x40 }"},
    {"7800c020", "{ r0 = #0x1 }"},
    {"00044004", "{ immext(#0x400100)"},
    {"7800c001", "r1 = ##0x400100 }"},
    {"7800c162", "{ r2 = #0xb }"},
    {"5400c004", "{ trap0(#0x1) }"},
    {"7800cba6", "{ r6 = #0x5d }"},
    {"7800c000", "{ r0 = #0x0 }"},
    {"5400c004", "{ trap0(#0x1) }"},
}};

// The system call is a call of the gateway page; its number is set in the branch's delay slot.
constexpr std::array<Instruction, 9> hppa{{
    {"341a0002", "ldi 1,r26"},
    {"23200008", "ldil L%400000,r25"},
    {"37390200", "ldo 100(r25),r25"},
    {"34180016", "ldi b,r24"},
    {"e4008200", "be,l 100(sr2,r0),sr0,r31"},
    {"34140008", "ldi 4,r20"},
    {"341a0000", "ldi 0,r26"},
    {"e4008200", "be,l 100(sr2,r0),sr0,r31"},
    {"34140002", "ldi 1,r20"},
}};

constexpr std::array<Instruction, 8> m68k{{
    {"7004", "moveq #4,%d0"},
    {"7201", "moveq #1,%d1"},
    {"243c 0040 0100", "movel #4194560,%d2"},
    {"760b", "moveq #11,%d3"},
    {"4e40", "trap #0"},
    {"7001", "moveq #1,%d0"},
    {"7200", "moveq #0,%d1"},
    {"4e40", "trap #0"},
}};

constexpr std::array<Instruction, 9> microblaze{{
    {"31800004", "addik r12, r0, 4"},
    {"30a00001", "addik r5, r0, 1"},
    {"b0000040", "imm 64"},
    {"30c00100", "addik r6, r0, 256"},
    {"30e0000b", "addik r7, r0, 11"},
    {"b9cc0008", "brki r14, 8"},
    {"31800001", "addik r12, r0, 1"},
    {"30a00000", "addik r5, r0, 0"},
    {"b9cc0008", "brki r14, 8"},
}};

constexpr std::array<Instruction, 9> nios2{{
    {"00801004", "movi r2,64"},
    {"01000044", "movi r4,1"},
    {"01401034", "movhi r5,64"},
    {"29404014", "ori r5,r5,256"},
    {"018002c4", "movi r6,11"},
    {"003b683a", "trap 0"},
    {"00801744", "movi r2,93"},
    {"01000004", "movi r4,0"},
    {"003b683a", "trap 0"},
}};

constexpr std::array<Instruction, 9> or1k{{
    {"9d600040", "l.addi r11,r0,64"},
    {"9c600001", "l.addi r3,r0,1"},
    {"18800040", "l.movhi r4,0x40"},
    {"a8840100", "l.ori r4,r4,0x100"},
    {"9ca0000b", "l.addi r5,r0,11"},
    {"20000001", "l.sys 0x1"},
    {"9d60005d", "l.addi r11,r0,93"},
    {"9c600000", "l.addi r3,r0,0"},
    {"20000001", "l.sys 0x1"},
}};

constexpr std::array<Instruction, 12> sh4{{
    {"e304", "mov #4,r3"},
    {"e401", "mov #1,r4"},
    {"e540", "mov #64,r5"},
    {"4528", "shll16 r5"},
    {"e001", "mov #1,r0"},
    {"4018", "shll8 r0"},
    {"350c", "add r0,r5"},
    {"e60b", "mov #11,r6"},
    {"c313", "trapa #19"},
    {"e301", "mov #1,r3"},
    {"e400", "mov #0,r4"},
    {"c311", "trapa #17"},
}};

constexpr std::array<Instruction, 10> xtensa{{
    {"0da022", "movi a2, 13"},
    {"01a062", "movi a6, 1"},
    {"40a032", "movi a3, 64"},
    {"113300", "slli a3, a3, 16"},
    {"01d332", "addmi a3, a3, 0x100"},
    {"0ba042", "movi a4, 11"},
    {"005000", "syscall"},
    {"76a022", "movi a2, 118"},
    {"00a062", "movi a6, 0"},
    {"005000", "syscall"},
}};

// Big-endian Xtensa has its fields, not its bytes, the other way round.
constexpr std::array<Instruction, 10> xtensaeb{{
    {"220a0d", "movi a2, 13"},
    {"260a01", "movi a6, 1"},
    {"230a40", "movi a3, 64"},
    {"003311", "slli a3, a3, 16"},
    {"233d01", "addmi a3, a3, 256"},
    {"240a0b", "movi a4, 11"},
    {"000500", "syscall"},
    {"220a76", "movi a2, 118"},
    {"260a00", "movi a6, 0"},
    {"000500", "syscall"},
}};

constexpr std::array other_table{
    make({"alpha", 0, alpha}),
    make({"cris", 0, cris}),
    make({"hexagon", ef_hexagon_v60, hexagon}),
    make({"hppa", ef_parisc_1_1, hppa}),
    make({"m68k", 0, m68k}),
    make({"microblaze", 0, microblaze}),
    make({"microblazeel", 0, microblaze}),
    make({"nios2", 0, nios2}),
    make({"or1k", 0, or1k}),
    make({"sh4", ef_sh4, sh4}),
    make({"sh4eb", ef_sh4, sh4}),
    make({"xtensa", 0, xtensa}),
    make({"xtensaeb", 0, xtensaeb}),
};

}  // namespace

std::span<const Probe> other_probes() {
  return other_table;
}

}  // namespace emud::probe
