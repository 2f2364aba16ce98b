// Calls and replies around their parameters (https://varlink.org/Method-Call).
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "wire/fields.h"

namespace emud::wire {
namespace {

using nlohmann::json;

constexpr std::string_view no_parameters = "{}";

Failure bad_envelope(std::string_view what, std::string_view where, std::string_view reason) {
  return fail(Errc::protocol, "read", what,
              where.empty() ? std::string{reason} : fmt::format("\"{}\" {}", where, reason),
              "Speak Varlink (https://varlink.org) on this socket");
}

// The message as an object whose "parameters" have been taken out as text.
struct Envelope {
  json message;
  std::string parameters;
};

Result<Envelope> open_envelope(std::string_view what, std::string_view text) {
  EMUD_ASSIGN(json message, parse_json(text));
  if (!message.is_object()) return bad_envelope(what, "", "it is not a JSON object");
  std::string parameters{no_parameters};
  if (const auto found = message.find("parameters"); found != message.end()) {
    if (!found->is_object() && !found->is_null()) {
      return bad_envelope(what, "parameters", "is not an object");
    }
    if (found->is_object()) parameters = found->dump();
    message.erase(found);
  }
  return Envelope{std::move(message), std::move(parameters)};
}

// The members beside "parameters".
struct CallHeader {
  std::string method;
  std::optional<bool> more, oneway, upgrade;
};

struct ReplyHeader {
  std::optional<std::string> error;
  std::optional<bool> continues;
};

void fields(auto& visit, Is<CallHeader> auto& m) {
  visit("method", m.method);
  visit("more", m.more);
  visit("oneway", m.oneway);
  visit("upgrade", m.upgrade);
}

void fields(auto& visit, Is<ReplyHeader> auto& m) {
  visit("error", m.error);
  visit("continues", m.continues);
}

// Any JSON string as text, with quotes.
std::string json_string(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<Call> parse_call(std::string_view json) {
  EMUD_ASSIGN(Envelope envelope, open_envelope("a call", json));
  CallHeader header;
  if (const auto problem = Reader::read(envelope.message, header)) {
    return bad_envelope("a call", problem->where, problem->reason);
  }
  const bool more = header.more.value_or(false);
  const bool oneway = header.oneway.value_or(false);
  if (header.method.empty()) return bad_envelope("a call", "method", "is empty");
  if (header.upgrade.value_or(false)) return bad_envelope("a call", "upgrade", "is not offered");
  if (more && oneway) return bad_envelope("a call", "oneway", "contradicts \"more\"");
  return Call{std::move(header.method), std::move(envelope.parameters), more, oneway};
}

Result<Reply> parse_reply(std::string_view json) {
  EMUD_ASSIGN(Envelope envelope, open_envelope("a reply", json));
  ReplyHeader header;
  if (const auto problem = Reader::read(envelope.message, header)) {
    return bad_envelope("a reply", problem->where, problem->reason);
  }
  if (header.error && header.error->empty()) return bad_envelope("a reply", "error", "is empty");
  return Reply{std::move(envelope.parameters), std::move(header.error).value_or(""),
               header.continues.value_or(false)};
}

std::string encode(const Call& call) {
  return fmt::format(R"({{"method":{},"parameters":{}{}{}}})", json_string(call.method),
                     call.parameters.empty() ? no_parameters : call.parameters,
                     call.more ? R"(,"more":true)" : "", call.oneway ? R"(,"oneway":true)" : "");
}

std::string encode(const Reply& reply) {
  return fmt::format(
      R"({{{}"parameters":{}{}}})",
      reply.error.empty() ? "" : fmt::format(R"("error":{},)", json_string(reply.error)),
      reply.parameters.empty() ? no_parameters : reply.parameters,
      reply.continues ? R"(,"continues":true)" : "");
}

}  // namespace emud::wire
