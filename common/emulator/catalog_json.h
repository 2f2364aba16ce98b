// Strict reading of JSON objects: every error names the file and the key.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace emud {

// One object in a JSON text. The text's value must outlive it.
class JsonObject {
 public:
  // path: the file; key: where in it, "packages[2]", empty for the whole.
  JsonObject(const nlohmann::json& value, std::string_view path, std::string key)
      : value_(&value), path_(path), key_(std::move(key)) {}

  // invalid_argument for a member that is none of these.
  [[nodiscard]] Result<> allow_only(std::initializer_list<std::string_view> names) const;

  // A text of 1 to 500 bytes without control characters; a whole number from 1 on; a list of
  // objects. invalid_argument where it is missing or another type.
  [[nodiscard]] Result<std::string> text(std::string_view name) const;
  [[nodiscard]] Result<std::uint64_t> number(std::string_view name) const;
  [[nodiscard]] Result<std::vector<JsonObject>> objects(std::string_view name) const;

  // The same, but empty where it is missing.
  [[nodiscard]] Result<std::string> optional_text(std::string_view name) const;

  [[nodiscard]] Result<std::vector<JsonObject>> optional_objects(std::string_view name) const;

  // An error about a member, or about the object itself (no name).
  [[nodiscard]] Failure refuse(std::string_view name, std::string_view reason) const;

 private:
  [[nodiscard]] const nlohmann::json* member(std::string_view name) const;

  const nlohmann::json* value_;
  std::string path_;
  std::string key_;
};

// The text as a JSON object. invalid_argument, naming path, for anything else and for an object
// that has a member twice.
[[nodiscard]] Result<nlohmann::json> parse_json_object(std::string_view text,
                                                       std::string_view path);

}  // namespace emud
