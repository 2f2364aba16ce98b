// A program file as execve(2) will find it: whose it is, and what is wrong with it.
#pragma once

#include <optional>
#include <string>

#include "arch/architecture.h"
#include "base/result.h"

namespace emud {

struct Program {
  std::string name;  // as it was asked for
  // The file that the kernel would really load: the program itself, or the interpreter its #! leads
  // to.
  std::string file;
  bool is_empty = false;
  bool is_elf = false;
  const Architecture* architecture = nullptr;  // by its first bytes; none: no ELF file, or unknown
  std::optional<Error> defect;  // an ELF file that is not whole: read_elf_file's error
  std::string interpreter;      // the dynamic linker it asks for; empty for a static one
};

// Follows #! lines as fs/binfmt_script.c does, at most five. The error is that of a file that
// cannot be opened or read. Never blocks on a FIFO or a device.
[[nodiscard]] Result<Program> look_at_program(std::string path);

// Why the kernel answered ENOEXEC for that program, with what to do: empty or no program at all,
// not whole, for an architecture without a handler here, for a machine emud does not know.
[[nodiscard]] Error explain_refusal(const Program& program);

}  // namespace emud
