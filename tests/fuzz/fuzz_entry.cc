// parse_entry takes any text; what it makes of it can be compared and looked up.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "binfmt/rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entry = emud::parse_entry("fuzz", {reinterpret_cast<const char*>(data), size});
  if (!entry) return 0;
  const emud::Architecture* found = emud::architecture_of(*entry);
  if (found != nullptr && entry->magic.empty()) std::abort();
  const emud::Rule rule{.name = "fuzz",
                        .offset = entry->offset.value_or(0),
                        .magic = entry->magic,
                        .mask = entry->mask,
                        .interpreter = entry->interpreter,
                        .flags = entry->flags};
  const bool whole = entry->offset && entry->extension.empty() && !entry->mask.empty();
  if (emud::is_same(*entry, rule) != whole && !entry->magic.empty()) std::abort();
  if (const auto text = emud::registration_string(rule); text && text->size() > 1920) std::abort();
  return 0;
}
