// Why a command could not be executed, from execve(2)'s errno and what its file is.
#pragma once

#include <string>

#include "base/result.h"

namespace emud {

// The error for a file that execve(2) refused with that errno, with what to do about it:
// command_not_found where there is no such file, else command_not_executable. It looks at the file
// as this process may.
[[nodiscard]] Error execution_failure(const std::string& file, int error);

}  // namespace emud
