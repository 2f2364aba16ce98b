#include "emulator/notes.h"

#include <fmt/format.h>

#include "emulator/version.h"

namespace emud {

bool concerns(const CatalogNote& note, const Architecture& architecture, std::string_view version) {
  if (note.architecture != nullptr && note.architecture->name != architecture.name) return false;
  if (!note.from.empty() && compare_versions(version, note.from) < 0) return false;
  return note.before.empty() || compare_versions(version, note.before) < 0;
}

std::string advice(const CatalogNote& note) {
  return fmt::format("{}. {}", note.text, note.instead);
}

std::string_view to_string(Effect effect) {
  return effect == Effect::slow ? "slow" : "broken";
}

}  // namespace emud
