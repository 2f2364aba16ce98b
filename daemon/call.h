// One call of a client, as its method sees it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/async.h"
#include "daemon/audit.h"
#include "daemon/authorizer.h"
#include "daemon/lease.h"
#include "wire/messages.h"

namespace emud {

struct Services;

// What a connection holds besides its socket.
struct Connection {
  PeerCredentials peer;
  std::map<std::string, std::shared_ptr<Lease>, std::less<>>
      leases;  // of Acquire: they end with the connection
};

struct CallContext {
  Services& services;
  Connection& connection;
  const AuthorizedCaller& caller;
  const wire::Call& call;
  std::vector<UniqueFd> fds;  // that came with the call
  AsyncChannel& channel;
  Audit& audit;
  std::vector<UniqueFd> reply_fds;  // to go with the final reply

  // Sends an intermediate reply where the client asked for `more`; dropped otherwise. What the
  // client does not read now is queued within the channel's bound.
  [[nodiscard]] Task<void> progress(std::string parameters);
};

// The final reply's parameters as JSON.
using Method = Task<Result<std::string>> (*)(CallContext&);

// One row for each method: its name without the interface, who may call it, what does it.
struct MethodEntry {
  std::string_view name;
  Privilege privilege;
  Method method;
  bool needs_more = false;  // it answers with a stream only: refused without `more`
  bool brings_up = false;   // starts processes or reads much: counted by Turns
  bool only_looks = false;  // a success is not worth a line in the log
  std::size_t price = 1;    // in tokens (Turns)
};

// nullptr for a method there is none of.
[[nodiscard]] const MethodEntry* find_method(std::string_view name);

Task<Result<std::string>> get_status(CallContext& context);
Task<Result<std::string>> monitor(CallContext& context);
Task<Result<std::string>> acquire(CallContext& context);
Task<Result<std::string>> release(CallContext& context);
Task<Result<std::string>> run(CallContext& context);
Task<Result<std::string>> cancel(CallContext& context);
Task<Result<std::string>> register_handlers(CallContext& context);
Task<Result<std::string>> unregister_handlers(CallContext& context);
Task<Result<std::string>> install_emulator(CallContext& context);
Task<Result<std::string>> remove_emulator(CallContext& context);
Task<Result<std::string>> verify_emulators(CallContext& context);
Task<Result<std::string>> prune_emulators(CallContext& context);
Task<Result<std::string>> list_emulators(CallContext& context);

}  // namespace emud
