// Probes of the architectures in everyday use. Each is write(1, line, 11); exit(0): the numbers are
// the system calls of that architecture (asm/unistd.h), 0x400100 is where the line is.
#include "arch/probe_program.h"

namespace emud::probe {
namespace {

constexpr std::uint32_t ef_arm_abi5 = EF_ARM_EABI_VER5;
constexpr std::uint32_t ef_arm_be8 = EF_ARM_BE8;  // data big, instructions little
constexpr std::uint32_t ef_ppc64_elfv1 = 1;       // EF_PPC64_ABI: function descriptors
constexpr std::uint32_t ef_ppc64_elfv2 = 2;
constexpr std::uint32_t ef_loongarch_lp64s = 0x41;  // object ABI 1, no floating point

constexpr std::array<Instruction, 9> aarch64{{
    {"d2800020", "mov x0, #0x1"},
    {"d2a00801", "mov x1, #0x400000"},
    {"91040021", "add x1, x1, #0x100"},
    {"d2800162", "mov x2, #0xb"},
    {"d2800808", "mov x8, #0x40"},
    {"d4000001", "svc #0x0"},
    {"d2800000", "mov x0, #0x0"},
    {"d2800ba8", "mov x8, #0x5d"},
    {"d4000001", "svc #0x0"},
}};

constexpr std::array<Instruction, 9> arm{{
    {"e3a00001", "mov r0, #1"},
    {"e3a01501", "mov r1, #4194304"},
    {"e2811c01", "add r1, r1, #256"},
    {"e3a0200b", "mov r2, #11"},
    {"e3a07004", "mov r7, #4"},
    {"ef000000", "svc 0x00000000"},
    {"e3a00000", "mov r0, #0"},
    {"e3a07001", "mov r7, #1"},
    {"ef000000", "svc 0x00000000"},
}};

constexpr std::array<Instruction, 8> i386{{
    {"b8 04 00 00 00", "mov $0x4,%eax"},
    {"bb 01 00 00 00", "mov $0x1,%ebx"},
    {"b9 00 01 40 00", "mov $0x400100,%ecx"},
    {"ba 0b 00 00 00", "mov $0xb,%edx"},
    {"cd 80", "int $0x80"},
    {"b8 01 00 00 00", "mov $0x1,%eax"},
    {"bb 00 00 00 00", "mov $0x0,%ebx"},
    {"cd 80", "int $0x80"},
}};

constexpr std::array<Instruction, 9> loongarch64{{
    {"02800404", "addi.w $a0, $zero, 1"},
    {"14008005", "lu12i.w $a1, 1024"},
    {"038400a5", "ori $a1, $a1, 256"},
    {"02802c06", "addi.w $a2, $zero, 11"},
    {"0281000b", "addi.w $a7, $zero, 64"},
    {"002b0000", "syscall 0"},
    {"02800004", "addi.w $a0, $zero, 0"},
    {"0281740b", "addi.w $a7, $zero, 93"},
    {"002b0000", "syscall 0"},
}};

constexpr std::array<Instruction, 9> ppc{{
    {"38000004", "li r0,4"},
    {"38600001", "li r3,1"},
    {"3c800040", "lis r4,64"},
    {"60840100", "ori r4,r4,256"},
    {"38a0000b", "li r5,11"},
    {"44000002", "sc"},
    {"38000001", "li r0,1"},
    {"38600000", "li r3,0"},
    {"44000002", "sc"},
}};

constexpr std::array<Instruction, 9> riscv{{
    {"00100513", "addi a0,zero,1"},
    {"004005b7", "lui a1,0x400"},
    {"10058593", "addi a1,a1,256"},
    {"00b00613", "addi a2,zero,11"},
    {"04000893", "addi a7,zero,64"},
    {"00000073", "ecall"},
    {"00000513", "addi a0,zero,0"},
    {"05d00893", "addi a7,zero,93"},
    {"00000073", "ecall"},
}};

constexpr std::array<Instruction, 7> s390x{{
    {"a729 0001", "lghi %r2,1"},
    {"a53e 0040", "llilh %r3,64"},
    {"a53b 0100", "oill %r3,256"},
    {"a749 000b", "lghi %r4,11"},
    {"0a04", "svc 4"},
    {"a729 0000", "lghi %r2,0"},
    {"0a01", "svc 1"},
}};

constexpr std::array<Instruction, 8> x86_64{{
    {"b8 01 00 00 00", "mov $0x1,%eax"},
    {"bf 01 00 00 00", "mov $0x1,%edi"},
    {"be 00 01 40 00", "mov $0x400100,%esi"},
    {"ba 0b 00 00 00", "mov $0xb,%edx"},
    {"0f 05", "syscall"},
    {"b8 3c 00 00 00", "mov $0x3c,%eax"},
    {"bf 00 00 00 00", "mov $0x0,%edi"},
    {"0f 05", "syscall"},
}};

constexpr std::array common_table{
    make({"aarch64", 0, aarch64}),
    make({"aarch64_be", 0, aarch64, CodeOrder::little}),
    make({"arm", ef_arm_abi5, arm}),
    make({"armeb", ef_arm_abi5 | ef_arm_be8, arm, CodeOrder::little}),
    make({"i386", 0, i386}),
    make({"loongarch64", ef_loongarch_lp64s, loongarch64}),
    make({"ppc", 0, ppc}),
    make({"ppc64", ef_ppc64_elfv1, ppc, CodeOrder::as_data, Entry::descriptor}),
    make({"ppc64le", ef_ppc64_elfv2, ppc}),
    make({"riscv32", 0, riscv}),
    make({"riscv64", 0, riscv}),
    make({"s390x", 0, s390x}),
    make({"x86_64", 0, x86_64}),
};

}  // namespace

std::span<const Probe> common_probes() {
  return common_table;
}

}  // namespace emud::probe
