#include "ctl/architecture_names.h"

#include <algorithm>
#include <string_view>

#include "arch/architecture.h"

namespace emud::ctl {

Result<std::vector<std::string>> architecture_names(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const std::string_view word : words) {
    for (std::size_t begin = 0; begin <= word.size();) {
      const std::size_t end = std::min(word.find(',', begin), word.size());
      const std::string_view name = word.substr(begin, end - begin);
      begin = end + 1;
      if (name.empty()) {
        return fail(Errc::invalid_argument, "read the list of architectures", word,
                    "an architecture's name is missing", "Write it as in `-a aarch64,riscv64`");
      }
      EMUD_ASSIGN(const Architecture* architecture, find_architecture(name));
      if (std::ranges::find(names, architecture->name) == names.end()) {
        names.emplace_back(architecture->name);
      }
    }
  }
  return names;
}

}  // namespace emud::ctl
