#include "emulator/catalog_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace emud {
namespace {

using nlohmann::json;

constexpr std::size_t max_text = 500;
constexpr std::string_view hint = "Correct the file, or take it away";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// The last key that an object of this JSON text has twice.
std::string repeated_key(std::string_view text) {
  std::vector<std::set<std::string>> open;  // the names so far of each object that is open
  std::string twice;
  const auto watch = [&](int, json::parse_event_t event, const json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key) {
      auto name = value.get<std::string>();
      if (!open.back().insert(name).second) twice = std::move(name);
    }
    return true;
  };
  [[maybe_unused]] const json value = json::parse(text.begin(), text.end(), watch, false);
  return twice;
}

}  // namespace

Failure JsonObject::refuse(std::string_view name, std::string_view reason) const {
  const std::string_view dot = key_.empty() || name.empty() ? "" : ".";
  const std::string where = fmt::format("{}{}{}", key_, dot, name);
  return fail(Errc::invalid_argument, "read catalog",
              where.empty() ? path_ : fmt::format("{}: {}", path_, where), reason, hint);
}

Result<> JsonObject::allow_only(std::initializer_list<std::string_view> names) const {
  for (const auto& [name, value] : value_->items()) {
    if (std::ranges::find(names, name) == names.end()) {
      return refuse(name.substr(0, 64), "there is no such key");
    }
  }
  return {};
}

const json* JsonObject::member(std::string_view name) const {
  const auto found = value_->find(name);
  return found == value_->end() ? nullptr : &*found;
}

Result<std::string> JsonObject::text(std::string_view name) const {
  const json* value = member(name);
  if (value == nullptr) return refuse(name, "it is missing");
  if (!value->is_string()) return refuse(name, "it is not a text");
  auto text = value->get<std::string>();
  if (text.empty()) return refuse(name, "it is empty");
  if (text.size() > max_text) {
    return refuse(name, fmt::format("it is longer than {} bytes", max_text));
  }
  if (std::ranges::any_of(text, is_control)) return refuse(name, "it has control characters");
  return text;
}

Result<std::string> JsonObject::optional_text(std::string_view name) const {
  if (member(name) == nullptr) return std::string{};
  return text(name);
}

Result<std::uint64_t> JsonObject::number(std::string_view name) const {
  const json* value = member(name);
  if (value == nullptr) return refuse(name, "it is missing");
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() == 0) {
    return refuse(name, "it is not a whole number from 1 on");
  }
  return value->get<std::uint64_t>();
}

Result<std::vector<JsonObject>> JsonObject::objects(std::string_view name) const {
  const json* list = member(name);
  if (list == nullptr) return refuse(name, "it is missing");
  if (!list->is_array()) return refuse(name, "it is not a list");
  std::vector<JsonObject> objects;
  for (const json& value : *list) {
    const std::string_view dot = key_.empty() ? "" : ".";
    objects.emplace_back(value, path_, fmt::format("{}{}{}[{}]", key_, dot, name, objects.size()));
    if (!value.is_object()) return objects.back().refuse({}, "it is not an object");
  }
  return objects;
}

Result<std::vector<JsonObject>> JsonObject::optional_objects(std::string_view name) const {
  if (member(name) == nullptr) return std::vector<JsonObject>{};
  return objects(name);
}

Result<json> parse_json_object(std::string_view text, std::string_view path) {
  std::vector<std::size_t> keys;  // how many so far in each object that is open
  bool comes_twice = false;
  const auto count = [&](int, json::parse_event_t event, const json& value) {
    if (event == json::parse_event_t::object_start) keys.push_back(0);
    if (event == json::parse_event_t::key) ++keys.back();
    if (event == json::parse_event_t::object_end) {
      comes_twice = comes_twice || keys.back() != value.size();
      keys.pop_back();
    }
    return true;
  };
  json value = json::parse(text.begin(), text.end(), count, false);
  const JsonObject whole{value, path, {}};
  // The parser takes a NUL for the end of the text.
  if (value.is_discarded() || text.find('\0') != std::string_view::npos)
    return whole.refuse({}, "it is not JSON");
  if (comes_twice)
    return whole.refuse(repeated_key(text).substr(0, 64), "an object has this key twice");
  if (!value.is_object()) return whole.refuse({}, "it is not a JSON object");
  return value;
}

}  // namespace emud
