#include "wire/errors.h"

#include <cerrno>
#include <map>
#include <string>

#include "support/catch.h"

using namespace emud;
using namespace emud::wire;

namespace {

constexpr int last_code = static_cast<int>(Errc::internal);

Error error_with(Errc code, int errno_value = EROFS) {
  return Error{code,        "register handler",       "emud-arm",
               errno_value, "the mount is read-only", "Remount it"};
}

void check_text(const Error& read, const Error& sent) {
  CHECK(read.action == sent.action);
  CHECK(read.object == sent.object);
  CHECK(read.errno_value == sent.errno_value);
  CHECK(read.reason == sent.reason);
  CHECK(read.hint == sent.hint);
}

std::string camel_case(std::string_view snake) {
  std::string name;
  bool upper = true;
  for (const char c : snake) {
    if (c != '_') name.push_back(upper ? static_cast<char>(c - 'a' + 'A') : c);
    upper = c == '_';
  }
  return name;
}

}  // namespace

TEST_CASE("every error of the manager comes back as it was", "[wire]") {
  const std::map<Errc, Errc> nearest{
      {Errc::command_not_found, Errc::not_found},
      {Errc::command_not_executable, Errc::permission_denied},
      {Errc::disconnected, Errc::system},
  };
  for (int i = 0; i <= last_code; ++i) {
    const auto code = static_cast<Errc>(i);
    const Errc expected = nearest.contains(code) ? nearest.at(code) : code;
    const Error sent = error_with(code);
    const Reply reply = error_reply(manager_interface, sent);
    INFO(reply.error);
    CHECK(reply.error == "io.emud.Manager." + camel_case(to_string(expected)));
    CHECK_FALSE(reply.continues);
    const auto received = parse_reply(encode(reply));
    REQUIRE(received);
    const Error read = error_of(*received);
    CHECK(read.code == expected);
    check_text(read, sent);
  }
}

TEST_CASE("the keeper has three errors", "[wire]") {
  const auto through = [](const Error& error) {
    return error_of(error_reply(keeper_interface, error));
  };
  CHECK(error_reply(keeper_interface, error_with(Errc::command_not_found)).error ==
        "io.emud.Keeper.CommandNotFound");
  CHECK(through(error_with(Errc::command_not_found)).code == Errc::command_not_found);
  CHECK(through(error_with(Errc::command_not_executable)).code == Errc::command_not_executable);
  CHECK(error_reply(keeper_interface, error_with(Errc::busy)).error == "io.emud.Keeper.Failed");
  CHECK(through(error_with(Errc::busy, 0)).code == Errc::system);
  CHECK(through(error_with(Errc::internal, EROFS)).code == Errc::read_only);
  CHECK(through(error_with(Errc::internal, ENOMEM)).code == Errc::system);
  check_text(through(error_with(Errc::busy)), error_with(Errc::busy));
}

TEST_CASE("errors of org.varlink.service get the nearest code", "[wire]") {
  const Error bad = from_json<SignalCall>("{}").error();
  CHECK(encode(invalid_parameter(bad)) ==
        R"({"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"signal"}})");
  CHECK(error_of(invalid_parameter(bad)).code == Errc::invalid_argument);
  CHECK(error_of(invalid_parameter(bad)).object == "signal");
  CHECK(error_of(invalid_parameter(bad)).reason == "org.varlink.service.InvalidParameter");

  CHECK(encode(method_not_found("a.B")) ==
        R"({"error":"org.varlink.service.MethodNotFound","parameters":{"method":"a.B"}})");
  CHECK(error_of(method_not_found("a.B")).code == Errc::not_supported);
  CHECK(error_of(method_not_found("a.B")).object == "a.B");

  CHECK(encode(interface_not_found("a")) ==
        R"({"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"a"}})");
  CHECK(error_of(interface_not_found("a")).code == Errc::not_supported);

  CHECK(error_of({"{}", "org.varlink.service.PermissionDenied", false}).code ==
        Errc::permission_denied);
  CHECK(error_of({"{}", "org.varlink.service.ExpectedMore", false}).code == Errc::protocol);
}

TEST_CASE("an error nobody knows is a protocol error with its name", "[wire]") {
  for (const auto* name : {"org.example.Bad", "Bad", "", ".", "io.emud.Manager.CommandNotFound",
                           "io.emud.Manager.", "io.emud.Keeper.Busy"}) {
    INFO(name);
    const Error error = error_of({"{}", name, false});
    CHECK(error.code == Errc::protocol);
    CHECK(error.reason == name);
  }
}

TEST_CASE("an error with other members is still told", "[wire]") {
  const Reply odd{R"({"action":7,"object":"a\u0000b","errno":99999999999,"reason":"full","x":[]})",
                  "io.emud.Manager.Busy", false};
  const Error error = error_of(odd);
  CHECK(error.code == Errc::busy);
  CHECK(error.action.empty());
  CHECK(error.object.empty());
  CHECK(error.errno_value == 0);
  CHECK(error.reason == "full");
  CHECK(error_of({"not json", "io.emud.Manager.Busy", false}).code == Errc::busy);
}

TEST_CASE("text that is not UTF-8 can be sent", "[wire]") {
  const Error error{Errc::not_found, "open", "/tmp/\xe9", ENOENT, "", ""};
  const Error read = error_of(error_reply(manager_interface, error));
  CHECK(read.object == "/tmp/\xef\xbf\xbd");
}

TEST_CASE("exit statuses", "[wire]") {
  for (int i = 0; i <= last_code; ++i) {
    const auto code = static_cast<Errc>(i);
    const int run = code == Errc::command_not_found        ? 127
                    : code == Errc::command_not_executable ? 126
                                                           : 125;
    const int verb = code == Errc::invalid_argument || code == Errc::unknown_architecture ? 2 : 1;
    CHECK(run_exit_status(error_with(code)) == run);
    CHECK(verb_exit_status(error_with(code)) == verb);
  }
}
