// Names of a platform that say more than its CPU.
#pragma once

#include <string>
#include <string_view>

namespace emud {

// The CPU's part of such a name: of Docker's [linux/]CPU[/vN] (OCI image-spec, platform variants),
// and of GNU's, LLVM's and Rust's CPU[-VENDOR]-linux[-ABI] (config.sub). MIPS with the ABI n32 is
// mipsn32, as QEMU has it. Empty for any other word, and for an ABI that QEMU runs no programs of
// (x32, ILP32). name: in lower case.
[[nodiscard]] std::string cpu_of_compound_name(std::string_view name);

}  // namespace emud
