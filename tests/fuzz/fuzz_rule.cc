// Any text as a registration: what emud composes of its fields is what the kernel reads out of it,
// field for field.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "binfmt/rule.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

// Up to the delimiter, which is taken too. As strchr does in fs/binfmt_misc.c.
std::optional<std::string_view> take_field(std::string_view& text, char delimiter) {
  const std::size_t end = text.find(delimiter);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Bytes, some as \xHH: string_unescape_inplace(UNESCAPE_HEX).
std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text.substr(i).starts_with("\\x") && i + 3 < text.size() &&
                           hex_digit(text[i + 2]) >= 0 && hex_digit(text[i + 3]) >= 0;
    bytes += is_escape ? static_cast<char>(hex_digit(text[i + 2]) * 16 + hex_digit(text[i + 3]))
                       : text[i];
    if (is_escape) i += 3;
  }
  return bytes;
}

// `:name:M:offset:magic:mask:interpreter:flags`, as create_entry of fs/binfmt_misc.c takes it
// apart.
std::optional<Rule> read_registration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const char delimiter = text.front();
  text.remove_prefix(1);
  Rule rule;
  const auto name = take_field(text, delimiter);
  if (!name || take_field(text, delimiter) != "M") return std::nullopt;
  const auto offset = take_field(text, delimiter);
  const auto magic = take_field(text, delimiter);
  const auto mask = take_field(text, delimiter);
  const auto interpreter = take_field(text, delimiter);
  if (!interpreter) return std::nullopt;
  const char* const end = offset->data() + offset->size();
  if (const auto [stop, error] = std::from_chars(offset->data(), end, rule.offset);
      !offset->empty() && (error != std::errc{} || stop != end)) {
    return std::nullopt;
  }
  rule.name = *name;
  rule.magic = unescape(*magic);
  rule.mask = unescape(*mask);
  rule.interpreter = *interpreter;
  rule.flags = text;
  return rule;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto rule = read_registration({reinterpret_cast<const char*>(data), size});
  if (!rule) return 0;
  const auto text = registration_string(*rule);
  if (!text) {
    require(text.error().code == Errc::invalid_argument && !text.error().reason.empty());
    return 0;
  }
  require(text->size() <= 1920 && text->find('\n') == std::string::npos);
  require(text->find('\0') == std::string::npos);
  require(read_registration(*text) == *rule);
  require(std::ranges::all_of(rule->flags, [](char c) { return c >= 'A' && c <= 'Z'; }));
  return 0;
}
