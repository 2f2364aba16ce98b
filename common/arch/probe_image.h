// A tiny static ELF executable for each architecture, which writes one known line to descriptor 1
// and exits with status 0: the proof that a handler really works. Assembled at compile time from
// the instructions in probe_programs_*.cc.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "arch/architecture.h"

namespace emud {

// What every probe image prints: the architecture's name is not in it, the same line for all.
inline constexpr std::string_view probe_line = "emud probe\n";

// The image for that architecture; empty where emud has none (then only registration can be
// vouched for).
[[nodiscard]] std::span<const std::byte> probe_image(const Architecture& architecture);

}  // namespace emud
