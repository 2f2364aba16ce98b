#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.h"
#include "wire/json_text.h"
#include "wire/messages.h"
#include "wire/samples.h"

using namespace emud;
using namespace emud::wire;

namespace {

// The member that from_json complains about; empty if it does not.
template <class Message>
std::string complaint(const std::string& json) {
  const auto read = from_json<Message>(json);
  if (read) return {};
  CHECK(read.error().code == Errc::invalid_argument);
  CHECK_FALSE(read.error().reason.empty());
  CHECK_FALSE(read.error().hint.empty());
  return read.error().object;
}

std::string list_of(std::size_t count, const std::string& element) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + element;
  return list + "]";
}

}  // namespace

TEST_CASE("a member that is unknown, missing or twice is refused", "[wire]") {
  CHECK(complaint<ReleaseCall>(R"({"lease":"a"})").empty());
  CHECK(complaint<ReleaseCall>(R"({"lease":"a","surplus":1})") == "surplus");
  CHECK(complaint<ReleaseCall>(R"({"lease":"a","surplus":null})") == "surplus");
  CHECK(complaint<ReleaseCall>("{}") == "lease");
  CHECK(complaint<ReleaseCall>(R"({"lease":null})") == "lease");
  CHECK(complaint<ReleaseCall>(R"({"lease":"a","lease":"b"})") == "parameters");
  CHECK(complaint<Nothing>("{}").empty());
  CHECK(complaint<Nothing>(R"({"x":1})") == "x");
}

TEST_CASE("a member of another type is refused", "[wire]") {
  CHECK(complaint<ReleaseCall>(R"({"lease":1})") == "lease");
  CHECK(complaint<ReleaseCall>(R"({"lease":["a"]})") == "lease");
  CHECK(complaint<RegisterCall>(R"({"architectures":"arm"})") == "architectures");
  CHECK(complaint<RegisterCall>(R"({"architectures":["arm",2]})") == "architectures[1]");
  CHECK(complaint<RegisterCall>(R"({"architectures":["arm",null]})") == "architectures[1]");
  CHECK(complaint<RegisterCall>(R"({"architectures":[],"persist":1})") == "persist");
  CHECK(complaint<AcquireReply>(R"({"progress":[]})") == "progress");
  for (const auto* text : {"", "[]", "null", "1", "\"x\"", "{", "{} x", "{\"lease\":}", "nul"}) {
    INFO(text);
    CHECK(complaint<Nothing>(text) == "parameters");
  }
}

TEST_CASE("a problem inside names the way to it", "[wire]") {
  CHECK(complaint<AcquireReply>(R"({"progress":{"step":"fetch"}})") == "progress.object");
  const std::string handlers = R"({"removed":[],"stillLeased":["arm","a\u0000b"]})";
  CHECK(complaint<UnregisterReply>(handlers) == "stillLeased[1]");
  auto run = nlohmann::json::parse(to_json(test::utf8_run_call()));
  run["descriptors"][2]["index"] = "x";
  CHECK(complaint<RunCall>(run.dump()) == "descriptors[2].index");
  run["descriptors"][2] = 7;
  CHECK(complaint<RunCall>(run.dump()) == "descriptors[2]");
}

TEST_CASE("integers are whole and fit into 64 bits", "[wire]") {
  const auto signal = [](const std::string& number) {
    return complaint<SignalCall>(R"({"signal":)" + number + "}");
  };
  CHECK(from_json<SignalCall>(R"({"signal":9223372036854775807})")->signal == INT64_MAX);
  CHECK(from_json<SignalCall>(R"({"signal":-9223372036854775808})")->signal == INT64_MIN);
  CHECK(signal("-1").empty());
  for (const auto* number : {"1.0", "1e3", "0.5", "9223372036854775808", "18446744073709551615",
                             "18446744073709551616", "-9223372036854775809", "true", "\"1\""}) {
    INFO(number);
    CHECK(signal(number) == "signal");
  }
  CHECK(signal("1e999") == "parameters");
  CHECK(signal("01") == "parameters");
  CHECK(signal("NaN") == "parameters");
}

TEST_CASE("strings are UTF-8 without NUL", "[wire]") {
  CHECK(complaint<ReleaseCall>(R"({"lease":"a\u0000"})") == "lease");
  CHECK(complaint<ReleaseCall>("{\"lease\":\"\xff\"}") == "parameters");
  CHECK(complaint<ReleaseCall>("{\"lease\":\"\xed\xa0\x80\"}") == "parameters");
  CHECK(complaint<ReleaseCall>(R"({"lease":"\ud800"})") == "parameters");
  CHECK(from_json<ReleaseCall>(R"({"lease":"\ud83d\ude00"})")->lease == "😀");
  CHECK(to_json(ReleaseCall{"\xff"}) == "{\"lease\":\"\xef\xbf\xbd\"}");
}

TEST_CASE("as many arguments as a command can have by default, 2 MiB of them", "[wire]") {
  RunCall call = test::utf8_run_call();
  constexpr std::size_t size_of_shortest = sizeof(char*) + 2;  // execve(2): pointer, letter, NUL
  call.arguments = std::vector<std::string>((std::size_t{2} << 20) / size_of_shortest, "a");
  CHECK(from_json<RunCall>(to_json(call))->arguments == call.arguments);
}

TEST_CASE("depth and number of values are bounded", "[wire]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(max_json_depth)));
  CHECK_FALSE(parse_json(nested(max_json_depth + 1)));
  CHECK_FALSE(parse_json(nested(4 << 20)));
  CHECK_FALSE(parse_json(std::string(8 << 20, '[')));
  std::string objects;
  for (int i = 0; i < 1 << 20; ++i) objects += R"({"a":)";
  CHECK_FALSE(parse_json(objects));
  CHECK_FALSE(parse_call(R"({"method":"a.B","parameters":{"x":)" + nested(100000) + "}}"));

  CHECK(parse_json(list_of(max_json_values - 1, "0")));
  const auto too_many = parse_json(list_of(max_json_values, "0"));
  REQUIRE_FALSE(too_many);
  CHECK(too_many.error().code == Errc::protocol);
  CHECK(too_many.error().message().find("262144") != std::string::npos);
  CHECK(too_many.error().hint.find("fewer arguments") != std::string::npos);
}

TEST_CASE("Run carries arguments that are not UTF-8", "[wire]") {
  std::string every_byte;
  for (int c = 1; c < 256; ++c) every_byte.push_back(static_cast<char>(c));
  RunCall call = test::utf8_run_call();
  call.arguments = {"tool", every_byte, ""};
  call.environment = {"A=\x01\x7f"};
  const std::string json = to_json(call);
  CHECK(json.find(R"("encoding":"hex")") != std::string::npos);
  const auto read = from_json<RunCall>(json);
  REQUIRE(read);
  CHECK(read->arguments == call.arguments);
  CHECK(read->environment == call.environment);

  call.arguments = {"tool"};
  CHECK(to_json(call).find("encoding") == std::string::npos);
  call.environment = {"A=\xc0\x80"};
  CHECK(to_json(call).find(R"("arguments":["746f6f6c"])") != std::string::npos);
  CHECK(from_json<RunCall>(to_json(call))->environment == call.environment);
}

TEST_CASE("Run refuses a bad encoding", "[wire]") {
  auto json = nlohmann::json::parse(to_json(test::binary_run_call()));
  const auto with = [&](const char* member, const nlohmann::json& value) {
    auto changed = json;
    changed[member] = value;
    return complaint<RunCall>(changed.dump());
  };
  CHECK(with("encoding", "base64") == "encoding");
  CHECK(with("encoding", "utf-8").empty());
  CHECK(with("arguments", {"61", "6"}) == "arguments[1]");
  CHECK(with("arguments", {"6g"}) == "arguments[0]");
  CHECK(with("arguments", {"6A"}) == "arguments[0]");
  CHECK(with("environment", {"41", "4100"}) == "environment[1]");
}

TEST_CASE("UTF-8 is recognised as the JSON parser does", "[wire]") {
  for (const auto* good : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(is_utf8(good));
  }
  for (const auto* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xe1\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    CHECK_FALSE(is_utf8(bad));
  }
  // All that may follow a lead byte, as far as it matters.
  for (int i = 0; i < 65536; ++i) {
    std::string text{static_cast<char>(i >> 8), static_cast<char>(i & 255)};
    for (const char* end : {"", "\x80", "\xbf\x80"}) {
      text = text.substr(0, 2) + end;
      const bool plain = (i >> 8) >= 0x80 && (i & 255) >= 0x80;
      if (plain && is_utf8(text) != nlohmann::json::accept("\"" + text + "\"")) FAIL(i);
    }
  }
}
