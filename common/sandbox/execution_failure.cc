#include "sandbox/execution_failure.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "arch/program.h"

namespace emud {
namespace {

// The file that the kernel stumbled over: the program, or what its #! line leads to.
std::string culprit_of(const Result<Program>& program) {
  return program ? program->file : program.error().object;
}

std::string missing_hint(const Result<Program>& program) {
  const std::string part = program ? program->interpreter : culprit_of(program);
  if (part.ends_with('\r')) {
    return "Its first line ends with a carriage return, as on Windows, which the kernel takes for "
           "a part of the interpreter's name: remove them with `sed -i 's/\\r$//' FILE`";
  }
  return fmt::format("The file is there, but {} is not, which it asks for",
                     part.empty() ? "its interpreter" : part);
}

std::string access_hint(const std::string& file, const Result<Program>& program) {
  const std::string culprit = ::access(file.c_str(), X_OK) != 0 ? file : culprit_of(program);
  struct stat info{};
  if (::stat(culprit.c_str(), &info) != 0) {
    return fmt::format("Look whether you may enter each directory on the way to {}", culprit);
  }
  if (!S_ISREG(info.st_mode)) {
    return fmt::format("{} is no regular file: name a program{}", culprit,
                       culprit == file ? "" : " in the first line of the script");
  }
  if (::access(culprit.c_str(), X_OK) != 0) {
    return fmt::format("Make it executable (`chmod +x {}`), on a file system not mounted noexec",
                       culprit);
  }
  return "Look at its first line, if it is a script: it has to name an interpreter behind #!";
}

std::string hint_for(const std::string& file, int error, const Result<Program>& program) {
  switch (error) {
    case ENOENT:
      return missing_hint(program);
    case ENOTDIR:
      return fmt::format("A part of the path of {} is no directory: check it", culprit_of(program));
    case EACCES:
      return access_hint(file, program);
    case EISDIR:
      return "Name a program in it";
    case ELOOP:
      return "Its symbolic links or its #! lines lead in a circle, or are too many: mend them";
    case ENOEXEC:
      return program.error().object == file
                 ? "Its architecture has no handler under this lease: name it with -a"
                 : "Its first line names no interpreter that there is, or is longer than the "
                   "kernel reads (256 bytes)";
    case ETXTBSY:
      return "Somebody has it open for writing: wait until it is written";
    case E2BIG:
      return "Pass fewer or shorter arguments and environment variables, or raise the limit, which "
             "is a quarter of that of the stack (`ulimit -s`)";
    default:
      return {};
  }
}

}  // namespace

Error execution_failure(const std::string& file, int error) {
  struct stat info{};
  if (error == ENOENT && ::access(file.c_str(), F_OK) != 0) {
    Error missing =
        fail_errno(error, "execute", file, "Check the name of the command and PATH").error();
    missing.code = Errc::command_not_found;
    return missing;
  }
  if (error == EACCES && ::stat(file.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) error = EISDIR;
  const auto program = look_at_program(file);
  if (error == ENOEXEC && program) return explain_refusal(*program);
  Error failure = fail_errno(error, "execute", file, hint_for(file, error, program)).error();
  failure.code = Errc::command_not_executable;
  return failure;
}

}  // namespace emud
