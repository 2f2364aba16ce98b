#include "wire/json_text.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace emud::wire {
namespace {

using nlohmann::json;

// Builds the value from the parser's events. The parser and the destructor of json are iterative;
// the depth is bounded because json::dump is not.
class Builder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return add(value) != nullptr;
  }
  bool string(string_t& value) override { return add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return refuse("it has binary data"); }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) return refuse("an object has the same member twice");
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return refuse(fmt::format("it is not JSON at byte {}", position));
  }

  [[nodiscard]] json take_root() { return std::move(root_); }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] std::string_view hint() const { return hint_; }

 private:
  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  json* add(json value) {
    if (++values_ > max_json_values) {
      refuse(fmt::format("it has more than {} values", max_json_values));
      hint_ =
          "Pass fewer arguments and environment variables, or do without emud: `emuctl run "
          "--rootless`";
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }

  bool open(json container) {
    if (open_.size() == max_json_depth) {
      return refuse(fmt::format("it is nested deeper than {}", max_json_depth));
    }
    json* place = add(std::move(container));
    if (place != nullptr) open_.push_back(place);
    return place != nullptr;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  json root_;
  // From the root inwards. A parent does not change while a child is open, so the pointers hold.
  std::vector<json*> open_;
  std::string key_;
  std::size_t values_ = 0;
  std::string reason_;
  std::string_view hint_ = "Use a client and a server of the same version of emud";
};

}  // namespace

Result<json> parse_json(std::string_view text) {
  Builder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(Errc::protocol, "read", "a message", builder.reason(), builder.hint());
  }
  return builder.take_root();
}

bool is_utf8(std::string_view bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<std::uint8_t>(bytes[i++]);
    if (lead < 0x80) continue;
    // The range of the first continuation byte (RFC 3629, section 4), and how many there are.
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    std::size_t count = 0;
    if (lead >= 0xc2 && lead <= 0xdf) {
      count = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      count = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      count = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    for (; count > 0; --count, low = 0x80, high = 0xbf) {
      if (i == bytes.size()) return false;
      const auto next = static_cast<std::uint8_t>(bytes[i++]);
      if (next < low || next > high) return false;
    }
  }
  return true;
}

}  // namespace emud::wire
