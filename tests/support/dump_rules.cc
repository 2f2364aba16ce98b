// Prints `name registration-string` for every architecture, with Debian's path of its emulator, for
// tests/integration/oracle_binfmt.py and tests/golden/registration.txt.
#include <cstdio>
#include <string>

#include "binfmt/rule.h"

int main() {
  for (const emud::Architecture& architecture : emud::architectures()) {
    const std::string interpreter = "/usr/bin/qemu-" + std::string{architecture.name};
    const auto text = emud::registration_string(emud::make_rule(architecture, interpreter));
    if (!text) {
      std::fprintf(stderr, "%s\n", text.error().message().c_str());
      return 1;
    }
    std::printf("%s %s\n", std::string{architecture.name}.c_str(), text->c_str());
  }
  return 0;
}
