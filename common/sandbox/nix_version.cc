#include "sandbox/nix_version.h"

#include <cstdio>
#include <cstring>
#include <memory>

namespace emud {

std::optional<NixVersion> nix_version(const std::string& program) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{
      ::popen((program + " --version 2>/dev/null").c_str(), "re"), ::pclose};
  char line[128] = "";
  if (!pipe || std::fgets(line, sizeof line, pipe.get()) == nullptr) return std::nullopt;
  NixVersion version;
  const char* words = std::strrchr(line, ' ');  // "nix (Nix) 2.8.0"
  if (words == nullptr || std::sscanf(words, " %d.%d", &version.first, &version.second) != 2)
    return std::nullopt;
  return version;
}

}  // namespace emud
