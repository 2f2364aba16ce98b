#include "base/boot.h"

#include "base/file.h"

namespace emud {

const std::string& boot_id() {
  static const std::string boot = [] {
    const auto text = read_file("/proc/sys/kernel/random/boot_id", 128);
    return text ? text->substr(0, 36) : std::string{};
  }();
  return boot;
}

}  // namespace emud
