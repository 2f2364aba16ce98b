#include "daemon/session.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/call.h"
#include "daemon/services.h"
#include "daemon/varlink_service.h"
#include "wire/errors.h"

namespace emud {
namespace {

constexpr std::string_view manager_prefix = "io.emud.Manager.";
constexpr std::size_t bytes_a_token = 16384;  // what reading a request costs
constexpr std::size_t price_of_failure = 20;
constexpr std::size_t price_of_descriptors = 4;

// Not an aggregate, for the reason given at Frame.
struct Answer {
  Answer() = default;
  explicit Answer(wire::Reply message, std::vector<UniqueFd> descriptors = {})
      : reply(std::move(message)), fds(std::move(descriptors)) {}

  wire::Reply reply;
  std::vector<UniqueFd> fds;
  bool is_wanted = true;  // not `oneway`
  bool is_last = false;   // the connection ends with it
};

// Who sends garbage is written down, and pays for that line.
void note_no_varlink(Services& services, const Connection& connection, const Error& error) {
  log(Level::notice, fmt::format("user {} (process {}) does not speak Varlink: {}",
                                 connection.peer.uid, connection.peer.pid, error.message()));
  services.turns.charge(connection.peer.payer, price_of_failure);
}

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

const MethodEntry* entry_of(const wire::Call& call) {
  if (!call.method.starts_with(manager_prefix)) return nullptr;
  return find_method(std::string_view{call.method}.substr(manager_prefix.size()));
}

// The answer to a call, whose decision is written down whatever ends this coroutine.
Task<Answer> decide(Services& services, Connection& connection, AsyncChannel& channel,
                    const wire::Call& call, std::vector<UniqueFd> fds) {
  if (auto reply = serve_varlink_service(call)) co_return Answer{*std::move(reply)};
  const MethodEntry* entry = entry_of(call);
  Audit audit{connection.peer, call.method, entry != nullptr && entry->only_looks};
  const auto decided = [&](wire::Reply reply) {
    audit.decided(reply);
    // Each writes a line into the log, which is everybody's.
    if (!reply.error.empty()) services.turns.charge(connection.peer.payer, price_of_failure);
    return Answer{std::move(reply)};
  };
  if (entry == nullptr) co_return decided(wire::method_not_found(call.method));
  if (entry->needs_more && !call.more) co_return decided(wire::expected_more());
  const auto caller =
      co_await authorize(connection.peer, entry->privilege, services.options, call.method);
  if (!caller) co_return decided(failure(caller.error()));
  Turns::Slot slot;
  if (entry->brings_up) slot = co_await services.turns.enter(connection.peer.payer);
  CallContext context{services, connection, *caller, call, std::move(fds), channel, audit, {}};
  auto result = co_await entry->method(context);
  services.store_changes.look();
  if (!result) co_return decided(failure(result.error()));
  Answer given = decided(success(*std::move(result)));
  given.fds = std::move(context.reply_fds);
  co_return given;
}

Task<Answer> answer(Services& services, Connection& connection, AsyncChannel& channel,
                    Frame frame) {
  const std::size_t price = 1 + frame.json.size() / bytes_a_token;
  co_await services.turns.take(connection.peer.payer, price);
  const auto call = wire::parse_call(frame.json);
  if (!call) {
    note_no_varlink(services, connection, call.error());
    Answer last{wire::error_reply(wire::manager_interface, call.error())};
    last.is_last = true;
    co_return last;
  }
  if (const auto* entry = entry_of(*call); entry != nullptr)
    services.turns.charge(connection.peer.payer, entry->price - 1);
  frame.json.clear();
  Answer given = co_await decide(services, connection, channel, *call, std::move(frame.fds));
  given.is_wanted = !call->oneway;
  co_return given;
}

// Calls until the client hangs up. While a call is answered the hang-up cancels it: whatever it had
// begun is undone by its guards.
Task<void> serve_calls(Services& services, Connection& connection, AsyncChannel& channel,
                       Intake::Account& account) {
  using asio::experimental::awaitable_operators::operator||;
  for (;;) {
    auto frame = co_await channel.receive();
    if (!frame) {
      if (frame.error().code !=
          Errc::disconnected) {  // garbage, or too much of it: say so once, then close
        if (frame.error().code == Errc::protocol)
          note_no_varlink(services, connection, frame.error());
        [[maybe_unused]] const auto sent = co_await channel.send(
            Frame{wire::encode(wire::error_reply(wire::manager_interface, frame.error()))});
      }
      co_return;
    }
    if (!frame->fds.empty())  // they may cost a process that closes them
      services.turns.charge(connection.peer.payer, price_of_descriptors);
    account.call_begins();
    auto outcome =
        co_await (answer(services, connection, channel, *std::move(frame)) || channel.hung_up());
    account.call_has_ended();
    if (outcome.index() == 1) co_return;
    Answer& given = std::get<0>(outcome);
    if (given.is_wanted) {
      const auto sent =
          co_await channel.send(Frame{wire::encode(given.reply), std::move(given.fds)});
      if (!sent && sent.error().code != Errc::disconnected) log(sent.error());
      if (!sent) co_return;
    }
    if (given.is_last) co_return;
  }
}

}  // namespace

Task<void> serve_connection(Services& services, UniqueFd socket, PeerCredentials peer) {
  Connection connection{.peer = std::move(peer), .leases = {}};
  {
    Intake::Account account{services.intake, connection.peer.payer};
    Channel raw{std::move(socket)};
    raw.expect_objects();
    raw.set_admission(
        [&account](std::size_t bytes, std::size_t descriptors, std::vector<UniqueFd>& received) {
          return account.admit(bytes, descriptors, received);
        });
    AsyncChannel channel{services.executor, std::move(raw)};
    const Connections::Guard counted{services.connections, channel.fd()};
    try {
      co_await serve_calls(services, connection, channel, account);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted)
        log(Level::error, fmt::format("connection: {}", error.what()));
    }
    socket = channel.take_socket();
  }
  services.intake.close(std::move(socket), connection.peer.payer);
  for (auto& [id, lease] : std::exchange(connection.leases, {}))
    co_await services.leases.connection_ended(lease);
}

}  // namespace emud
