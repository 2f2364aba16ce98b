// Any text as a manifest: it is refused with a reason, or what was read is written and read again
// unchanged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emulator/manifest.h"
#include "emulator/version.h"
#include "fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace emud;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto manifest = parse_manifest(text, "fuzz")) {
    const auto again = parse_manifest(format_manifest(*manifest), "fuzz");
    require(again && *again == *manifest);
  } else {
    require(manifest.error().code == Errc::invalid_argument && !manifest.error().reason.empty());
  }
  const auto banner = parse_banner(text);
  require(!banner || is_version(banner->version));
  return 0;
}
