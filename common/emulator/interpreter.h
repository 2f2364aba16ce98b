// The interpreter that is composed from an emulator: the same program, relocated beforehand.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emud {

// Distributions build static emulators position-independent (static PIE): each start begins with a
// hundred thousand relative relocations (psABI x86-64, R_X86_64_RELATIVE), which take as long as
// the rest of starting a small program, and a private copy of each page they are in. Returns the
// same program with these done, as an executable for the one address they were done for.
//
// Nothing for a file that is no static PIE for x86_64, has no such relocations, or keeps them in a
// form that is not known. `emulator` is a whole file and may hold anything. Whether the C library
// in it starts from such a file has to be tried (inspect.h): it finds its own address by itself.
//
// The emulator's own code is not at a random address then; stack, heap and mappings are.
[[nodiscard]] std::optional<std::string> compose_interpreter(std::string_view emulator);

}  // namespace emud
