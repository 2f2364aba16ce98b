// Any text as an entry file: what parse_entry makes of it can be compared, looked up, registered,
// and read back from what the kernel would print then.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "binfmt/rule.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// As entry_status of fs/binfmt_misc.c does.
std::string print(const Rule& rule) {
  return fmt::format("enabled\ninterpreter {}\nflags: {}\noffset {}\nmagic {}\nmask {}\n",
                     rule.interpreter, rule.flags, rule.offset, hex(rule.magic), hex(rule.mask));
}

// The rule that could have made the entry.
Rule rule_of(const Entry& entry) {
  return Rule{.name = entry.name,
              .offset = entry.offset.value_or(0),
              .magic = entry.magic,
              .mask = entry.mask,
              .interpreter = entry.interpreter,
              .flags = entry.flags};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entry = parse_entry("fuzz", {reinterpret_cast<const char*>(data), size});
  if (!entry) {
    require(entry.error().code == Errc::protocol && !entry.error().reason.empty());
    return 0;
  }
  require(architecture_of(*entry) == nullptr || !entry->magic.empty());
  const Rule rule = rule_of(*entry);
  if (!registration_string(rule)) return 0;
  // Of an entry that no rule makes, a rule is never the same.
  require(is_same(*entry, rule) == (entry->offset && entry->extension.empty()));
  const auto again = parse_entry("fuzz", print(rule));
  require(again && is_same(*again, rule) && again->other.empty());
  require(!entry->offset || architecture_of(*again) == architecture_of(*entry));
  return 0;
}
