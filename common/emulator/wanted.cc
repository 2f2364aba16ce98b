#include "emulator/wanted.h"

#include <algorithm>

namespace emud {

Result<std::vector<const Architecture*>> wanted_architectures(
    const Store& store, const std::vector<std::string>& names) {
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    EMUD_ASSIGN(const auto installed, store.list());
    for (const auto& manifest : installed) wanted.push_back(manifest.architecture);
    if (wanted.empty()) {
      return fail(Errc::not_found, "find", "an emulator",
                  "none is installed yet and no architecture was named", "Name one with -a ARCH");
    }
  }
  std::vector<const Architecture*> result;
  for (const auto& name : wanted) {
    EMUD_ASSIGN(const Architecture* architecture, find_architecture(name));
    if (std::ranges::find(result, architecture) == result.end()) result.push_back(architecture);
  }
  return result;
}

std::vector<std::string> names_of(const std::vector<const Architecture*>& architectures) {
  std::vector<std::string> names;
  for (const Architecture* architecture : architectures) names.emplace_back(architecture->name);
  return names;
}

}  // namespace emud
