// The interpreter that is composed from an emulator: the same program, relocated beforehand.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace emud {

// The longest path of an interpreter that binfmt_misc runs, in bytes (BINPRM_BUF_SIZE is 128 where
// fs/binfmt_misc.c checks it).
inline constexpr std::size_t longest_interpreter = 127;

// Distributions build static emulators position-independent (static PIE): each start begins with a
// hundred thousand relative relocations (psABI x86-64, R_X86_64_RELATIVE) and a private copy of
// each of the 400 pages that they are in, a fifth of the time that a small program takes. Returns
// the same program with these done, as an executable for the one address they were done for.
//
// Nothing for a file that is no static PIE for x86_64, has no such relocations, or keeps them in a
// form that is not known. `emulator` is a whole file and may hold anything. Whether what is
// composed does what the emulator does has to be tried (inspect.h).
//
// What it costs: the emulator's own code is not at a random address (stack, heap and mappings are),
// and far from the code that QEMU generates, which then calls the emulator's functions through a
// pointer: loops of nothing but floating-point arithmetic take 6 to 16 % longer, compilers and
// interpreters do not.
[[nodiscard]] std::optional<std::string> compose_interpreter(std::string emulator);

}  // namespace emud
