// What is known to be wrong with some versions of QEMU: the catalog's notes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"

namespace emud {

// How bad it is. `slow`: right results, late. `broken`: some programs fail or compute nonsense.
enum class Effect { slow, broken };

struct CatalogNote {
  std::string from;    // the first version concerned; empty: all older ones
  std::string before;  // the first version concerned no more; empty: all newer ones
  const Architecture* architecture = nullptr;  // nullptr: every one
  Effect effect = Effect::broken;
  std::string text;     // what breaks: one sentence without the full stop
  std::string instead;  // what to use or do instead, the same
};

// How much the notes about a version leave of it, the best last.
enum class Soundness { broken, slow, sound };

// Whether it speaks of QEMU `version` (as version.h has it) for that architecture.
[[nodiscard]] bool concerns(const CatalogNote& note, const Architecture& architecture,
                            std::string_view version);

// For people: "<text>. <instead>".
[[nodiscard]] std::string advice(const CatalogNote& note);

// "slow" and "broken".
[[nodiscard]] std::string_view to_string(Effect effect);

}  // namespace emud
