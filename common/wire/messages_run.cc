// Run, the one call whose strings are bytes: arguments and environment need not be UTF-8, and JSON
// strings must be. Where they are not, all of them travel as hexadecimal digits.
#include <algorithm>

#include "wire/fields.h"

namespace emud::wire {

void fields(auto& visit, Is<Descriptor> auto& m) {
  visit("number", m.number);
  visit("index", m.index);
}

void fields(auto& visit, Is<Limits> auto& m) {
  visit("processes", m.processes);
  visit("memory", m.memory);
  visit("cpuWeight", m.cpu_weight);
  visit("seconds", m.seconds);
}

namespace {

using Strings = std::vector<std::string>;

// RunCall as it is on the wire.
struct EncodedRunCall : RunCall {
  std::optional<std::string> encoding;
};

void fields(auto& visit, Is<EncodedRunCall> auto& m) {
  visit("architectures", m.architectures);
  visit("scope", m.scope);
  visit("emulator", m.emulator);
  visit("arguments", m.arguments);
  visit("environment", m.environment);
  visit("encoding", m.encoding);
  visit("workingDirectory", m.working_directory);
  visit("descriptors", m.descriptors);
  visit("terminal", m.terminal);
  visit("umask", m.umask);
  visit("nix", m.nix);
  visit("fresh", m.fresh);
  visit("fetch", m.fetch);
  visit("limits", m.limits);
}

constexpr std::string_view digits = "0123456789abcdef";

void encode_hex(std::string& text) {
  std::string hex;
  hex.reserve(text.size() * 2);
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    hex.push_back(digits[byte >> 4]);
    hex.push_back(digits[byte & 15]);
  }
  text = std::move(hex);
}

std::optional<Problem> decode_hex(std::string& text) {
  if (text.size() % 2 != 0) return Problem{"", "has an odd number of hexadecimal digits"};
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = digits.find(text[i]);
    const std::size_t low = digits.find(text[i + 1]);
    if (high == digits.npos || low == digits.npos) {
      return Problem{"", "is not in lower-case hexadecimal digits"};
    }
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  if (bytes.contains('\0')) return Problem{"", "has a NUL inside"};
  text = std::move(bytes);
  return std::nullopt;
}

Result<> decode_hex(std::string_view name, Strings& strings) {
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (const auto problem = decode_hex(strings[i])) {
      return bad_parameter(fmt::format("{}[{}]", name, i), problem->reason);
    }
  }
  return {};
}

}  // namespace

EMUD_WIRE_MESSAGE(Descriptor);
EMUD_WIRE_MESSAGE(Limits);

template <>
std::string to_json(const RunCall& message) {
  EncodedRunCall encoded{message, std::nullopt};
  if (!std::ranges::all_of(message.arguments, is_utf8) ||
      !std::ranges::all_of(message.environment, is_utf8)) {
    encoded.encoding = "hex";
    std::ranges::for_each(encoded.arguments, encode_hex);
    std::ranges::for_each(encoded.environment, encode_hex);
  }
  return write_text(encoded);
}

template <>
Result<RunCall> from_json(std::string_view json) {
  EMUD_ASSIGN(EncodedRunCall encoded, read_text<EncodedRunCall>(json));
  if (encoded.encoding == "hex") {
    EMUD_TRY(decode_hex("arguments", encoded.arguments));
    EMUD_TRY(decode_hex("environment", encoded.environment));
  } else if (encoded.encoding && encoded.encoding != "utf-8") {
    return bad_parameter("encoding", "is neither \"utf-8\" nor \"hex\"");
  }
  return static_cast<RunCall&&>(encoded);
}

}  // namespace emud::wire
