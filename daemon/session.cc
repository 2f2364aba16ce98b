#include "daemon/session.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "base/log.h"
#include "daemon/call.h"
#include "daemon/services.h"
#include "daemon/varlink_service.h"
#include "wire/errors.h"

namespace emud {
namespace {

constexpr std::string_view manager_prefix = "io.emud.Manager.";

// Not an aggregate, for the reason given at Frame.
struct Answer {
  Answer() = default;
  explicit Answer(wire::Reply message, std::vector<UniqueFd> descriptors = {})
      : reply(std::move(message)), fds(std::move(descriptors)) {}

  wire::Reply reply;
  std::vector<UniqueFd> fds;
};

wire::Reply success(std::string parameters) {
  return {.parameters = std::move(parameters), .error = {}, .continues = false};
}

// A member that is wrong is the protocol's own kind of error; from_json names the member in
// `object`.
wire::Reply failure(const Error& error) {
  if (error.code == Errc::invalid_argument && error.action == "read parameter")
    return wire::invalid_parameter(error);
  return wire::error_reply(wire::manager_interface, error);
}

void audit(const PeerCredentials& peer, const wire::Call& call, const wire::Reply& reply) {
  if (call.method.ends_with(".GetStatus") && reply.error.empty())
    return;  // anyone may look, as often as he likes
  log(reply.error.empty() ? Level::info : Level::notice,
      fmt::format(
          "user {} (process {}) called {}: {}", peer.uid, peer.pid, call.method,
          reply.error.empty() ? std::string_view{"granted"} : std::string_view{reply.error}));
}

Task<Answer> answer(Services& services, Connection& connection, AsyncChannel& channel,
                    const wire::Call& call, std::vector<UniqueFd> fds) {
  if (auto reply = serve_varlink_service(call)) co_return Answer{*std::move(reply)};
  const MethodEntry* entry =
      call.method.starts_with(manager_prefix)
          ? find_method(std::string_view{call.method}.substr(manager_prefix.size()))
          : nullptr;
  if (entry == nullptr) co_return Answer{wire::method_not_found(call.method)};
  const auto caller = authorize(connection.peer, entry->privilege, services.options, call.method);
  if (!caller) co_return Answer{failure(caller.error())};
  CallContext context{services, connection, *caller, call, std::move(fds), channel, {}};
  auto result = co_await entry->method(context);
  if (!result) co_return Answer{failure(result.error())};
  co_return Answer{success(*std::move(result)), std::move(context.reply_fds)};
}

// Calls until the client hangs up. While a call is answered the hang-up cancels it: whatever it had
// begun is undone by its guards.
Task<void> serve_calls(Services& services, Connection& connection, AsyncChannel& channel) {
  using asio::experimental::awaitable_operators::operator||;
  for (;;) {
    auto frame = co_await channel.receive();
    if (!frame) {
      if (frame.error().code !=
          Errc::disconnected) {  // garbage, or too much of it: say so once, then close
        [[maybe_unused]] const auto sent = co_await channel.send(
            Frame{wire::encode(wire::error_reply(wire::manager_interface, frame.error()))});
      }
      co_return;
    }
    const auto call = wire::parse_call(frame->json);
    if (!call) {
      log(Level::notice,
          fmt::format("user {} (process {}) does not speak Varlink: {}", connection.peer.uid,
                      connection.peer.pid, call.error().message()));
      [[maybe_unused]] const auto sent = co_await channel.send(
          Frame{wire::encode(wire::error_reply(wire::manager_interface, call.error()))});
      co_return;
    }
    auto outcome = co_await (answer(services, connection, channel, *call, std::move(frame->fds)) ||
                             channel.hung_up());
    if (outcome.index() == 1) co_return;
    Answer& given = std::get<0>(outcome);
    audit(connection.peer, *call, given.reply);
    if (call->oneway) continue;
    if (!co_await channel.send(Frame{wire::encode(given.reply), std::move(given.fds)})) co_return;
  }
}

}  // namespace

Task<void> serve_connection(Services& services, UniqueFd socket, PeerCredentials peer) {
  Connection connection{.peer = std::move(peer), .leases = {}};
  AsyncChannel channel{services.executor, Channel{std::move(socket)}};
  const Connections::Guard counted{services.connections, channel.fd()};
  try {
    co_await serve_calls(services, connection, channel);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted)
      log(Level::error, fmt::format("connection: {}", error.what()));
  }
  for (auto& [id, lease] : std::exchange(connection.leases, {}))
    co_await services.leases.end(lease);
}

}  // namespace emud
