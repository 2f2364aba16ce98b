// The one place that maps an error's code to a Varlink error and to an exit status.
#pragma once

#include <string_view>

#include "base/result.h"
#include "wire/messages.h"

namespace emud::wire {

inline constexpr std::string_view manager_interface = "io.emud.Manager";
inline constexpr std::string_view keeper_interface = "io.emud.Keeper";
inline constexpr std::string_view service_interface = "org.varlink.service";

// The error as a reply of that interface.
//
// io.emud.Manager: the code's name in CamelCase. Three codes have no error there and become the
// nearest: command_not_found NotFound, command_not_executable PermissionDenied, disconnected
// System. io.emud.Keeper (and any other): CommandNotFound, CommandNotExecutable, else Failed.
//
// An invalid_argument raised by from_json and an unknown method become the errors of
// org.varlink.service: see invalid_parameter and method_not_found.
[[nodiscard]] Reply error_reply(std::string_view interface, const Error& error);
[[nodiscard]] Reply invalid_parameter(const Error& error);  // its object is the parameter's name
[[nodiscard]] Reply method_not_found(std::string_view method);
[[nodiscard]] Reply interface_not_found(std::string_view interface);
[[nodiscard]] Reply expected_more();

// The Error a reply carries: what error_reply was given, with the code of the Varlink error's name.
// io.emud.Keeper.Failed gets the code that fail_errno gives its errno, or system. Errors of
// org.varlink.service get the nearest code (invalid_argument, permission_denied, not_supported,
// protocol), unknown ones protocol, both with their name in the reason.
[[nodiscard]] Error error_of(const Reply& reply);

// What `emuctl run` exits with: 127, 126, else 125.
[[nodiscard]] int run_exit_status(const Error& error);

// `probe` and `doctor` only: something is not ready.
inline constexpr int exit_not_ready = 3;

// What the other verbs exit with: 2 for invalid_argument and unknown_architecture, else 1.
[[nodiscard]] int verb_exit_status(const Error& error);

}  // namespace emud::wire
