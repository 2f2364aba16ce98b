#include "binfmt/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "emulator/interpreter.h"

namespace emud {
namespace {

constexpr std::size_t longest_name = 255;           // NAME_MAX: the entry is a file
constexpr std::size_t longest_registration = 1920;  // MAX_REGISTER_LENGTH
constexpr std::size_t compared_bytes = 128;         // BINPRM_BUF_SIZE before Linux 5.1
constexpr std::string_view known_flags = "POCF";

// Any byte may delimit the fields (the first one of the string does), but not one of a field.
constexpr std::string_view delimiters = ":|,;!#%&*+=?@^~";

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; });
}

Failure refuse(const Rule& rule, std::string_view reason, std::string_view hint = {}) {
  return fail(Errc::invalid_argument, "compose registration of", rule.name, reason, hint);
}

Result<> check_name(const Rule& rule) {
  constexpr std::array<std::string_view, 4> reserved{".", "..", "register", "status"};
  if (rule.name.empty() || rule.name.size() > longest_name) {
    return refuse(rule, "a name has 1 to 255 bytes");
  }
  if (rule.name.find('/') != std::string::npos || has_control_characters(rule.name)) {
    return refuse(rule, "a name has neither slashes nor control characters");
  }
  if (std::ranges::find(reserved, rule.name) != reserved.end()) {
    return refuse(rule, "the name is taken by binfmt_misc itself");
  }
  return {};
}

Result<> check_interpreter(const Rule& rule) {
  if (!rule.interpreter.starts_with('/')) {
    return refuse(rule,
                  fmt::format("the interpreter's path, {}, is not absolute", rule.interpreter));
  }
  if (rule.interpreter.size() > longest_interpreter) {
    return refuse(rule,
                  fmt::format("the interpreter's path, {}, is longer than {} bytes",
                              rule.interpreter, longest_interpreter),
                  "Use a shorter state directory");
  }
  if (has_control_characters(rule.interpreter)) {
    return refuse(rule, "the interpreter's path has control characters");
  }
  return {};
}

Result<> check_bytes(const Rule& rule) {
  if (rule.magic.empty()) return refuse(rule, "the magic is empty");
  if (rule.magic.size() != rule.mask.size()) {
    return refuse(rule, fmt::format("the magic has {} bytes but the mask {}", rule.magic.size(),
                                    rule.mask.size()));
  }
  if (rule.magic.size() > compared_bytes || rule.offset > compared_bytes - rule.magic.size()) {
    return refuse(rule, fmt::format("the kernel compares the first {} bytes only", compared_bytes));
  }
  if (rule.flags.find_first_not_of(known_flags) != std::string::npos) {
    return refuse(rule, fmt::format("its flags, {}, are not all of {}", rule.flags, known_flags));
  }
  return {};
}

std::string escape(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::optional<std::string> unhex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned char value = 0;
    const char* const end = text.data() + i + 2;
    const auto [stop, error] = std::from_chars(text.data() + i, end, value, 16);
    if (error != std::errc{} || stop != end) return std::nullopt;
    bytes += static_cast<char>(value);
  }
  return bytes;
}

std::optional<unsigned> parse_number(std::string_view text) {
  unsigned value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// The flags as a sorted set. C implies O: the kernel sets both (check_special_flags).
std::string flag_set(std::string flags) {
  if (flags.find('C') != std::string::npos) flags += 'O';
  std::ranges::sort(flags);
  const auto repeated = std::ranges::unique(flags);
  flags.erase(repeated.begin(), repeated.end());
  return flags;
}

std::string effective_mask(const Entry& entry) {
  return entry.mask.empty() ? std::string(entry.magic.size(), '\xff') : entry.mask;
}

// Whether the entry matches a program whose header begins as the architecture's magic does. Bytes
// that the architecture's own mask leaves out may be anything.
bool serves(const Entry& entry, const std::string& mask, const Architecture& architecture) {
  for (std::size_t i = 0; i < entry.magic.size(); ++i) {
    const std::size_t at = *entry.offset + i;
    if (at >= architecture.magic.size()) break;
    const int difference = entry.magic[i] ^ architecture.magic[at];
    if ((difference & mask[i] & architecture.mask[at]) != 0) return false;
  }
  return true;
}

}  // namespace

Rule make_rule(const Architecture& architecture, std::string_view interpreter, bool credentials) {
  return Rule{.name = fmt::format("emud-{}", architecture.name),
              .magic = std::string{architecture.magic},
              .mask = std::string{architecture.mask},
              .interpreter = std::string{interpreter},
              .flags = credentials ? "PFC" : "PF"};
}

Result<std::string> registration_string(const Rule& rule) {
  EMUD_TRY(check_name(rule));
  EMUD_TRY(check_interpreter(rule));
  EMUD_TRY(check_bytes(rule));
  const auto delimiter = std::ranges::find_if(delimiters, [&](char c) {
    return rule.name.find(c) == std::string::npos && rule.interpreter.find(c) == std::string::npos;
  });
  if (delimiter == delimiters.end()) {
    return refuse(rule, "name and interpreter leave no character to delimit the fields with",
                  fmt::format("Leave out at least one of {}", delimiters));
  }
  std::string text =
      fmt::format("{0}{1}{0}M{0}{2}{0}{3}{0}{4}{0}{5}{0}{6}", *delimiter, rule.name, rule.offset,
                  escape(rule.magic), escape(rule.mask), rule.interpreter, rule.flags);
  if (text.size() > longest_registration) {
    return refuse(rule, fmt::format("the registration has {} bytes, the kernel takes {}",
                                    text.size(), longest_registration));
  }
  return text;
}

Result<Entry> parse_entry(std::string_view name, std::string_view text) {
  Entry entry;
  entry.name = name;
  std::map<std::string, std::string> fields;
  std::optional<bool> enabled;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (line == "enabled" || line == "disabled") {
      if (!enabled) enabled = line == "enabled";
      continue;
    }
    const std::size_t space = std::min(line.find(' '), line.size());
    std::string_view key = line.substr(0, space);
    if (key.ends_with(':')) key.remove_suffix(1);
    fields.emplace(key, line.substr(std::min(space + 1, line.size())));
  }
  const auto broken = [&](std::string_view reason) {
    return fail(Errc::protocol, "read binfmt_misc entry", name, reason,
                "Look at the entry's file in /proc/sys/fs/binfmt_misc");
  };
  if (!enabled) return broken("it says neither enabled nor disabled");
  entry.enabled = *enabled;

  const auto take = [&](const char* key) -> std::optional<std::string> {
    auto node = fields.extract(key);
    return node.empty() ? std::nullopt : std::optional{std::move(node.mapped())};
  };
  entry.interpreter = take("interpreter").value_or("");
  entry.flags = take("flags").value_or("");
  if (auto offset = take("offset")) {
    entry.offset = parse_number(*offset);
    if (!entry.offset) fields.emplace("offset", std::move(*offset));
  }
  for (const auto& [key, bytes] : {std::pair{"magic", &entry.magic}, {"mask", &entry.mask}}) {
    const auto hex = take(key);
    if (!hex) continue;
    auto decoded = unhex(*hex);
    if (!decoded) return broken(fmt::format("its {} is not a row of hexadecimal bytes", key));
    *bytes = *std::move(decoded);
  }
  if (auto extension = take("extension")) {
    entry.extension = extension->substr(extension->starts_with('.') ? 1 : 0);
  }
  entry.other = std::move(fields);
  return entry;
}

bool is_same(const Entry& entry, const Rule& rule) {
  return entry.interpreter == rule.interpreter && flag_set(entry.flags) == flag_set(rule.flags) &&
         entry.offset == rule.offset && entry.extension.empty() && entry.magic == rule.magic &&
         effective_mask(entry) == rule.mask;
}

const Architecture* architecture_of(const Entry& entry) {
  const std::string mask = effective_mask(entry);
  if (!entry.offset || entry.magic.empty() || mask.size() != entry.magic.size()) return nullptr;
  const Architecture* first = nullptr;
  for (const Architecture& architecture : architectures()) {
    if (!serves(entry, mask, architecture)) continue;
    if (first == nullptr) first = &architecture;
    if (architecture.machine != first->machine || architecture.is_64_bit != first->is_64_bit ||
        architecture.is_big_endian != first->is_big_endian) {
      return nullptr;
    }
  }
  return first;
}

}  // namespace emud
