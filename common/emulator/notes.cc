#include "emulator/notes.h"

#include <fmt/format.h>

#include "emulator/version.h"

namespace emud {

bool concerns(const CatalogNote& note, const Architecture& architecture, std::string_view version) {
  if (note.architecture != nullptr && note.architecture->name != architecture.name) return false;
  if (!note.from.empty() && compare_versions(version, note.from) < 0) return false;
  return note.before.empty() || compare_versions(version, note.before) < 0;
}

std::string describe(const CatalogNote& note, std::string_view architecture,
                     std::string_view version) {
  return fmt::format("QEMU {} for {}: {}. {}", version, architecture, note.text, note.instead);
}

std::string_view to_string(Effect effect) {
  return effect == Effect::slow ? "slow" : "broken";
}

}  // namespace emud
