#include "arch/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "arch/elf.h"
#include "base/file.h"

namespace emud {
namespace {

constexpr std::size_t beginning_size = 256;  // BINPRM_BUF_SIZE: what the kernel looks at
constexpr int most_scripts = 5;              // fs/exec.c, exec_binprm

struct Beginning {
  UniqueFd file;
  std::string bytes;
};

Result<Beginning> open_program(const std::string& path) {
  // The file may be anything, a FIFO or a terminal too.
  EMUD_ASSIGN(UniqueFd file, open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno("look at", path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::invalid_argument, "read", path, "it is no file");
  std::string bytes(beginning_size, '\0');
  const ssize_t count = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (count < 0) return fail_errno("read", path);
  bytes.resize(static_cast<std::size_t>(count));
  return Beginning{std::move(file), std::move(bytes)};
}

// The interpreter of a script's first line; empty for what is no script.
std::string script_interpreter(std::string_view bytes) {
  if (!bytes.starts_with("#!")) return {};
  std::string_view line = bytes.substr(2, bytes.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return std::string{line.substr(0, line.find_first_of(" \t"))};
}

std::string dynamic_linker(int fd, const ElfSummary& summary) {
  std::string path(std::min<std::uint64_t>(summary.interpreter_size, 4096), '\0');
  const ssize_t count =
      ::pread(fd, path.data(), path.size(), static_cast<off_t>(summary.interpreter_at));
  path.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return path.c_str();  // up to its NUL
}

}  // namespace

Result<Program> look_at_program(std::string path) {
  Program program;
  program.name = path;
  program.file = std::move(path);
  EMUD_ASSIGN(Beginning found, open_program(program.file));
  for (int depth = 0; depth < most_scripts; ++depth) {
    std::string interpreter = script_interpreter(found.bytes);
    if (interpreter.empty()) break;
    program.file = std::move(interpreter);
    EMUD_ASSIGN(found, open_program(program.file));
  }
  program.is_empty = found.bytes.empty();
  program.is_elf = found.bytes.starts_with(
      "\x7f"
      "ELF");
  if (!program.is_elf) return program;
  program.architecture = match_program(std::as_bytes(std::span{found.bytes}));
  if (const auto summary = read_elf_file(found.file.get(), program.file)) {
    program.interpreter = dynamic_linker(found.file.get(), *summary);
  } else if (summary.error().errno_value != 0) {
    return std::unexpected(summary.error());
  } else {
    program.defect = summary.error();
  }
  return program;
}

Error explain_refusal(const Program& program) {
  const auto because = [&](std::string_view reason, std::string_view hint) {
    const std::string object =
        program.file == program.name
            ? program.name
            : fmt::format("{}, the interpreter of {}", program.file, program.name);
    Error error = fail(Errc::command_not_executable, "execute", object, reason, hint).error();
    error.errno_value = ENOEXEC;
    return error;
  };
  if (program.is_empty) return because("the file is empty", "Build or download it again");
  if (!program.is_elf) {
    return because("it is neither a program nor a script that begins with #!",
                   "Run a script through its interpreter, as in `sh FILE`");
  }
  if (program.defect) {
    return because(program.defect->reason,
                   "The program is damaged or incomplete: build or download it again");
  }
  if (program.architecture == nullptr) {
    return because("it is for a machine that emud has no emulator for",
                   "`file PROGRAM` tells which; `emuctl run --help` lists all architectures");
  }
  const std::string_view name = program.architecture->name;
  if (name == host_architecture().name) {
    return because("this kernel does not run it although it is for this machine",
                   "Look at the kernel's log (`dmesg`)");
  }
  return because(fmt::format("it is a program for {0}, and there is no handler for {0} here", name),
                 fmt::format("Add `-a {}`", name));
}

}  // namespace emud
