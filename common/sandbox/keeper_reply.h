// What the keeper answers to Wait.
#pragma once

#include <string>
#include <vector>

#include "sandbox/process.h"
#include "wire/messages.h"

namespace emud {

// The last answer: how the command ended, what it used, and what people should know about it.
[[nodiscard]] wire::Reply wait_reply(const ExitStatus& status, std::vector<std::string> notes);

}  // namespace emud
