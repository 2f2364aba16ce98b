// JSON text into a value, with bounds on everything that a peer could make large.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace emud::wire {

inline constexpr std::size_t max_json_depth = 16;       // of objects and lists inside one another
inline constexpr std::size_t max_json_values = 262144;  // in one text; bounds the memory of a value

// One JSON text (RFC 8259, UTF-8). protocol for what is no JSON, nested too deep, has too many
// values, or an object with the same member twice.
[[nodiscard]] Result<nlohmann::json> parse_json(std::string_view text);

// Whether bytes are UTF-8 (RFC 3629: shortest form, no surrogates), so that JSON can carry them.
[[nodiscard]] bool is_utf8(std::string_view bytes);

}  // namespace emud::wire
