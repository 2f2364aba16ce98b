// How a message's members become JSON and back. Every struct has one list of its members,
//
//   void fields(auto& visit, Is<Lease> auto& m) { visit("lease", m.lease); ... }
//
// which a Writer and a Reader walk, so that the two directions cannot differ. Private to the
// messages_*.cc files.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "wire/json_text.h"
#include "wire/messages.h"

namespace emud::wire {

template <class M, class T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
concept Scalar =
    std::same_as<T, std::string> || std::same_as<T, std::int64_t> || std::same_as<T, bool>;

using OutputJson = nlohmann::ordered_json;  // members in the order of the interface description

// Collects the members of one object; what is not set is left out.
class Writer {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (is_optional<T>) {
      if (value) object_[name] = write(*value);
    } else {
      object_[name] = write(value);
    }
  }

  [[nodiscard]] OutputJson take() { return std::move(object_); }

 private:
  template <class T>
  static OutputJson write(const T& value) {
    if constexpr (Scalar<T>) {
      return value;
    } else if constexpr (is_list<T>) {
      OutputJson list = OutputJson::array();
      for (const auto& element : value) list.push_back(write(element));
      return list;
    } else {
      Writer writer;
      fields(writer, value);
      return writer.take();
    }
  }

  OutputJson object_ = OutputJson::object();
};

// What is wrong with which member: "handlers[3].leases".
struct Problem {
  std::string where;
  std::string reason;
};

// A scalar out of its JSON value, which may be moved from.
[[nodiscard]] std::optional<Problem> read_scalar(nlohmann::json& from, std::string& to);
[[nodiscard]] std::optional<Problem> read_scalar(nlohmann::json& from, std::int64_t& to);
[[nodiscard]] std::optional<Problem> read_scalar(nlohmann::json& from, bool& to);

// Takes the members out of one object. The first problem ends it.
class Reader {
 public:
  explicit Reader(nlohmann::json::object_t& object) : object_(object) {}

  template <class T>
  void operator()(std::string_view name, T& value) {
    if (problem_) return;
    const auto member = object_.find(name);
    if constexpr (is_optional<T>) {
      value.reset();
      if (member != object_.end() && !member->second.is_null()) {
        problem_ = read(member->second, value.emplace());
      }
    } else if (member == object_.end()) {
      problem_ = Problem{"", "is missing"};
    } else {
      problem_ = read(member->second, value);
    }
    if (problem_) {
      const bool nested = !problem_->where.empty() && problem_->where.front() != '[';
      problem_->where = fmt::format("{}{}{}", name, nested ? "." : "", problem_->where);
    } else if (member != object_.end()) {
      object_.erase(member);
    }
  }

  // To be called when all members were visited: whatever is left is not in the interface.
  [[nodiscard]] std::optional<Problem> finish() {
    if (!problem_ && !object_.empty()) {
      problem_ = Problem{object_.begin()->first, "is not a member known here"};
    }
    return std::move(problem_);
  }

  template <class T>
  [[nodiscard]] static std::optional<Problem> read(nlohmann::json& from, T& to) {
    if constexpr (Scalar<T>) {
      return read_scalar(from, to);
    } else if constexpr (is_list<T>) {
      if (!from.is_array()) return Problem{"", "is not a list"};
      to.resize(from.size());
      for (std::size_t i = 0; i < to.size(); ++i) {
        auto problem = read(from[i], to[i]);
        if (!problem) continue;
        const bool nested = !problem->where.empty();
        problem->where = fmt::format("[{}]{}{}", i, nested ? "." : "", problem->where);
        return problem;
      }
      return std::nullopt;
    } else {
      if (!from.is_object()) return Problem{"", "is not an object"};
      Reader reader{from.get_ref<nlohmann::json::object_t&>()};
      fields(reader, to);
      return reader.finish();
    }
  }

 private:
  nlohmann::json::object_t& object_;
  std::optional<Problem> problem_;
};

// The error for parameters that are not what the interface says.
[[nodiscard]] Failure bad_parameter(std::string_view name, std::string_view reason);

// The text of a message. Bytes that are not UTF-8 become U+FFFD.
template <class Message>
[[nodiscard]] std::string write_text(const Message& message) {
  Writer writer;
  fields(writer, message);
  return writer.take().dump(-1, ' ', false, OutputJson::error_handler_t::replace);
}

template <class Message>
[[nodiscard]] Result<Message> read_text(std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed) return bad_parameter("parameters", parsed.error().reason);
  Message message;
  if (auto problem = Reader::read(*parsed, message)) {
    return bad_parameter(problem->where.empty() ? "parameters" : problem->where, problem->reason);
  }
  return message;
}

template <class Message>
std::string to_json(const Message& message) {
  return write_text(message);
}

template <class Message>
Result<Message> from_json(std::string_view json) {
  return read_text<Message>(json);
}

}  // namespace emud::wire

// Instantiates both directions for one struct.
#define EMUD_WIRE_MESSAGE(Message)              \
  template std::string to_json(const Message&); \
  template Result<Message> from_json(std::string_view)
