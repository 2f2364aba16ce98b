#include "wire/errors.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "wire/json_text.h"

namespace emud::wire {
namespace {

using nlohmann::json;

constexpr std::string_view same_version =
    "Use an emuctl and an emud of the same version (emuctl --version, emuctl status)";

struct NamedCode {
  std::string_view name;
  Errc code;
};

constexpr std::array manager_errors{
    NamedCode{"InvalidArgument", Errc::invalid_argument},
    NamedCode{"UnknownArchitecture", Errc::unknown_architecture},
    NamedCode{"NotFound", Errc::not_found},
    NamedCode{"PermissionDenied", Errc::permission_denied},
    NamedCode{"NotSupported", Errc::not_supported},
    NamedCode{"Exists", Errc::exists},
    NamedCode{"Busy", Errc::busy},
    NamedCode{"ReadOnly", Errc::read_only},
    NamedCode{"DigestMismatch", Errc::digest_mismatch},
    NamedCode{"BadEmulator", Errc::bad_emulator},
    NamedCode{"BadPackage", Errc::bad_package},
    NamedCode{"NotReady", Errc::not_ready},
    NamedCode{"LimitExceeded", Errc::limit_exceeded},
    NamedCode{"Protocol", Errc::protocol},
    NamedCode{"Cancelled", Errc::cancelled},
    NamedCode{"TimedOut", Errc::timed_out},
    NamedCode{"System", Errc::system},
    NamedCode{"Internal", Errc::internal},
};

constexpr std::array service_errors{
    NamedCode{"InterfaceNotFound", Errc::not_supported},
    NamedCode{"MethodNotFound", Errc::not_supported},
    NamedCode{"MethodNotImplemented", Errc::not_supported},
    NamedCode{"InvalidParameter", Errc::invalid_argument},
    NamedCode{"PermissionDenied", Errc::permission_denied},
    NamedCode{"ExpectedMore", Errc::protocol},
};

std::string_view manager_error(Errc code) {
  if (code == Errc::command_not_found) return "NotFound";
  if (code == Errc::command_not_executable) return "PermissionDenied";
  if (code == Errc::disconnected) return "System";
  for (const auto& entry : manager_errors) {
    if (entry.code == code) return entry.name;
  }
  return "Internal";
}

std::string_view keeper_error(Errc code) {
  if (code == Errc::command_not_found) return "CommandNotFound";
  if (code == Errc::command_not_executable) return "CommandNotExecutable";
  return "Failed";
}

template <std::size_t N>
std::optional<Errc> find_code(const std::array<NamedCode, N>& table, std::string_view name) {
  for (const auto& entry : table) {
    if (entry.name == name) return entry.code;
  }
  return std::nullopt;
}

// The code of an error of emud's own interfaces.
std::optional<Errc> own_code(std::string_view interface, std::string_view name, int errno_value) {
  if (interface == manager_interface) return find_code(manager_errors, name);
  if (interface != keeper_interface) return std::nullopt;
  if (name == "CommandNotFound") return Errc::command_not_found;
  if (name == "CommandNotExecutable") return Errc::command_not_executable;
  if (name != "Failed") return std::nullopt;
  return errno_value == 0 ? Errc::system : fail_errno(errno_value, {}, {}).error().code;
}

// Members of an error's parameters; a peer that left one out still gets its error shown.
std::string text_member(const json& parameters, const char* name) {
  const auto member = parameters.find(name);
  if (member == parameters.end() || !member->is_string()) return {};
  auto text = member->get<std::string>();
  return text.contains('\0') ? std::string{} : text;
}

int errno_member(const json& parameters) {
  constexpr std::int64_t max_errno = 4095;  // MAX_ERRNO, include/linux/err.h
  const auto member = parameters.find("errno");
  if (member == parameters.end() || !member->is_number_integer()) return 0;
  const auto value = member->get<std::int64_t>();
  return value > 0 && value <= max_errno ? static_cast<int>(value) : 0;
}

Reply reply_with(std::string_view interface, std::string_view name,
                 const nlohmann::ordered_json& parameters) {
  return Reply{parameters.dump(-1, ' ', false, json::error_handler_t::replace),
               fmt::format("{}.{}", interface, name), false};
}

// Errors of org.varlink.service and of interfaces that emud does not know.
Error foreign_error(std::string_view full_name, Errc code, const json& parameters) {
  std::string object;
  for (const char* name : {"parameter", "method", "interface"}) {
    if (object.empty()) object = text_member(parameters, name);
  }
  return Error{code,
               "call",
               object.empty() ? std::string{"the other side"} : object,
               0,
               std::string{full_name},
               std::string{same_version}};
}

}  // namespace

Reply error_reply(std::string_view interface, const Error& error) {
  const std::string_view name =
      interface == manager_interface ? manager_error(error.code) : keeper_error(error.code);
  return reply_with(interface, name,
                    {{"action", error.action},
                     {"object", error.object},
                     {"errno", error.errno_value},
                     {"reason", error.reason},
                     {"hint", error.hint}});
}

Reply invalid_parameter(const Error& error) {
  return reply_with(service_interface, "InvalidParameter", {{"parameter", error.object}});
}

Reply method_not_found(std::string_view method) {
  return reply_with(service_interface, "MethodNotFound", {{"method", method}});
}

Reply interface_not_found(std::string_view interface) {
  return reply_with(service_interface, "InterfaceNotFound", {{"interface", interface}});
}

Reply expected_more() {
  return reply_with(service_interface, "ExpectedMore", nlohmann::ordered_json::object());
}

Error error_of(const Reply& reply) {
  json parameters = parse_json(reply.parameters).value_or(json::object());
  if (!parameters.is_object()) parameters = json::object();

  const std::string_view full_name = reply.error;
  const std::size_t dot = full_name.rfind('.');
  const std::string_view interface = full_name.substr(0, dot == full_name.npos ? 0 : dot);
  const std::string_view name = full_name.substr(dot == full_name.npos ? 0 : dot + 1);

  if (interface == service_interface) {
    const Errc code = find_code(service_errors, name).value_or(Errc::protocol);
    return foreign_error(full_name, code, parameters);
  }
  const int errno_value = errno_member(parameters);
  const auto code = own_code(interface, name, errno_value);
  if (!code) return foreign_error(full_name, Errc::protocol, parameters);
  return Error{*code,       text_member(parameters, "action"), text_member(parameters, "object"),
               errno_value, text_member(parameters, "reason"), text_member(parameters, "hint")};
}

int run_exit_status(const Error& error) {
  if (error.code == Errc::command_not_found) return 127;
  if (error.code == Errc::command_not_executable) return 126;
  return 125;
}

int verb_exit_status(const Error& error) {
  switch (error.code) {
    case Errc::invalid_argument:
    case Errc::unknown_architecture:
      return 2;
    default:
      return 1;
  }
}

}  // namespace emud::wire
