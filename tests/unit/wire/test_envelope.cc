#include <string>

#include "support/catch.h"
#include "wire/messages.h"

using namespace emud;
using namespace emud::wire;

TEST_CASE("calls survive the wire", "[wire]") {
  CHECK(encode(Call{"io.emud.Manager.Run", R"({"a":1})", true, false}) ==
        R"({"method":"io.emud.Manager.Run","parameters":{"a":1},"more":true})");
  CHECK(encode(Call{"a.B", "", false, true}) ==
        R"({"method":"a.B","parameters":{},"oneway":true})");

  const auto call = parse_call(encode(Call{"a.\"B", R"({"b":[1,"x"],"a":null})", true, false}));
  REQUIRE(call);
  CHECK(call->method == "a.\"B");
  CHECK(call->parameters == R"({"a":null,"b":[1,"x"]})");
  CHECK(call->more);
  CHECK_FALSE(call->oneway);
}

TEST_CASE("replies survive the wire", "[wire]") {
  CHECK(encode(Reply{R"({"a":1})", "", true}) == R"({"parameters":{"a":1},"continues":true})");
  CHECK(encode(Reply{"", "a.B", false}) == R"({"error":"a.B","parameters":{}})");

  const auto reply = parse_reply(R"({"error":"a.B","parameters":{"x":1}})");
  REQUIRE(reply);
  CHECK(reply->error == "a.B");
  CHECK(reply->parameters == R"({"x":1})");
  CHECK_FALSE(reply->continues);
  CHECK(parse_reply("{}")->parameters == "{}");
  CHECK(parse_reply(R"({"continues":true})")->continues);
}

TEST_CASE("absent and null are the same", "[wire]") {
  for (const auto* text :
       {R"({"method":"a.B"})", R"({"method":"a.B","parameters":null})",
        R"({"method":"a.B","more":null,"oneway":false,"upgrade":false,"parameters":{}})"}) {
    const auto call = parse_call(text);
    REQUIRE(call);
    CHECK(call->parameters == "{}");
    CHECK_FALSE(call->more);
    CHECK_FALSE(call->oneway);
  }
}

TEST_CASE("what is not a call is refused", "[wire]") {
  for (const auto* text : {"",
                           " ",
                           "x",
                           "[]",
                           "null",
                           "{}",
                           R"({"method":""})",
                           R"({"method":1})",
                           R"({"method":"a\u0000b"})",
                           R"({"method":"a.B","parameters":[]})",
                           R"({"method":"a.B","parameters":"{}"})",
                           R"({"method":"a.B","more":1})",
                           R"({"method":"a.B","upgrade":true})",
                           R"({"method":"a.B","surplus":{}})",
                           R"({"method":"a.B","more":true,"oneway":true})",
                           R"({"method":"a.B","method":"a.C"})",
                           R"({"method":"a.B"} {"method":"a.B"})",
                           R"({"method":"a.B","parameters":{"a":1,"a":1}})",
                           "{'method':'a.B'}",
                           "{\"method\":\"a.B\",}",
                           "{\"method\":\"a.B\"}//"}) {
    INFO(text);
    const auto call = parse_call(text);
    REQUIRE_FALSE(call);
    CHECK(call.error().code == Errc::protocol);
    CHECK_FALSE(call.error().reason.empty());
    CHECK_FALSE(call.error().hint.empty());
  }
}

TEST_CASE("what is not a reply is refused", "[wire]") {
  for (const auto* text : {"", "[]", R"({"error":""})", R"({"error":1})", R"({"continues":"yes"})",
                           R"({"parameters":1})", R"({"method":"a.B"})"}) {
    INFO(text);
    const auto reply = parse_reply(text);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::protocol);
  }
}

TEST_CASE("a wrong parameter does not spoil the envelope", "[wire]") {
  const auto call = parse_call(R"({"method":"a.B","parameters":{"signal":1.5}})");
  REQUIRE(call);
  const auto read = from_json<SignalCall>(call->parameters);
  REQUIRE_FALSE(read);
  CHECK(read.error().object == "signal");
}
