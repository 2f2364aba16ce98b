#include "wire/fields.h"

namespace emud::wire {

std::optional<Problem> read_scalar(nlohmann::json& from, std::string& to) {
  if (!from.is_string()) return Problem{"", "is not a string"};
  to = std::move(from.get_ref<std::string&>());
  if (to.contains('\0')) return Problem{"", "has a NUL inside"};
  return std::nullopt;
}

std::optional<Problem> read_scalar(nlohmann::json& from, std::int64_t& to) {
  if (!from.is_number_integer()) return Problem{"", "is not an integer"};
  if (from.is_number_unsigned() &&
      from.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return Problem{"", "is too large"};
  }
  to = from.get<std::int64_t>();
  return std::nullopt;
}

std::optional<Problem> read_scalar(nlohmann::json& from, bool& to) {
  if (!from.is_boolean()) return Problem{"", "is not true or false"};
  to = from.get<bool>();
  return std::nullopt;
}

Failure bad_parameter(std::string_view name, std::string_view reason) {
  return fail(Errc::invalid_argument, "read parameter", name, reason,
              "Compare the call with the interface that GetInterfaceDescription shows");
}

}  // namespace emud::wire
