// The proof that a file is a QEMU user-mode emulator for this machine.
#pragma once

#include <string>
#include <string_view>

#include "arch/architecture.h"
#include "base/result.h"

namespace emud {

// Checks that the file is a static ELF executable for this machine's CPU, that it calls itself
// QEMU's emulator of that architecture (--version), and that it runs the architecture's probe image
// where emud has one. It is executed through the descriptor, as an unprivileged process, for at
// most 10 seconds each time. No descriptor may have the file open for writing (ETXTBSY, execve(2)).
// Returns its version. bad_emulator, with what is wrong, for any other file. scratch is a
// directory for a temporary file; name is for the error.
[[nodiscard]] Result<std::string> inspect_emulator(int binary, const Architecture& architecture,
                                                   int scratch, std::string_view name);

}  // namespace emud
