#include "binfmt/standing.h"

#include <algorithm>

namespace emud {
namespace {

bool is_rival(const Entry& entry, const Architecture& architecture, std::string_view name) {
  return entry.name != name && entry.enabled && architecture_of(entry) == &architecture;
}

}  // namespace

Standing standing_of(const std::vector<Entry>& entries, const Architecture& architecture,
                     const Rule& rule) {
  const auto own = std::ranges::find(entries, rule.name, &Entry::name);
  if (own == entries.end()) return Standing::missing;
  if (!is_same(*own, rule)) return Standing::replaced;
  if (!own->enabled) return Standing::disabled;
  const bool is_shadowed = std::any_of(entries.begin(), own, [&](const Entry& entry) {
    return is_rival(entry, architecture, rule.name);
  });
  return is_shadowed ? Standing::shadowed : Standing::good;
}

std::vector<const Entry*> rivals_of(const std::vector<Entry>& entries,
                                    const Architecture& architecture, std::string_view name) {
  std::vector<const Entry*> rivals;
  for (const Entry& entry : entries) {
    if (is_rival(entry, architecture, name)) rivals.push_back(&entry);
  }
  return rivals;
}

}  // namespace emud
