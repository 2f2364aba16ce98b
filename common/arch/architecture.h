// The guest CPUs emud knows: QEMU's user-mode targets, their other names, and how the kernel
// recognises their programs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace emud {

struct Architecture {
  std::string_view name;                      // as QEMU names it: qemu-<name>
  std::span<const std::string_view> aliases;  // Debian's, Docker's, Nix's, GNU's, uname -m's
  std::string_view nix_system;                // "aarch64-linux"; empty where Nix has no name for it
  // What the kernel compares at offset 0 of a program, as in QEMU's scripts/qemu-binfmt-conf.sh.
  std::string_view magic;  // 20 bytes, 40 for MIPS o32 and n32
  std::string_view mask;   // of the same length
  std::uint16_t machine;   // e_machine of elf.h
  bool is_64_bit;          // EI_CLASS
  bool is_big_endian;      // EI_DATA
};

// Every architecture, ordered by name.
[[nodiscard]] std::span<const Architecture> architectures();

// The architecture of that name or alias, compared without regard to (ASCII) case.
// unknown_architecture for any other word, with the nearest names as a hint.
[[nodiscard]] Result<const Architecture*> find_architecture(std::string_view name);

// The architecture of this machine (uname(2)). For a machine that QEMU has no user-mode target for:
// an architecture of uname's name with neither magic nor aliases.
[[nodiscard]] const Architecture& host_architecture();

// The architectures, host's own first, that a CPU of this kind may be able to run without an
// emulator (i386 on x86_64, arm on aarch64). Whether it really can, a probe decides.
[[nodiscard]] std::span<const std::string_view> native_candidates(const Architecture& host);

}  // namespace emud
