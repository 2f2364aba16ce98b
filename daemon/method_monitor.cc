// io.emud.Manager.Monitor.
#include "daemon/call.h"
#include "daemon/services.h"

namespace emud {

// Until the client hangs up, which cancels the coroutine. A client that does not read holds up only
// itself: its subscription's queue is bounded.
Task<Result<std::string>> monitor(CallContext& context) {
  const auto request = wire::from_json<wire::Nothing>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  Subscription subscription{context.services.executor, context.services.events};
  for (;;) {
    wire::MonitorReply reply;
    reply.event = co_await subscription.next();
    co_await context.progress(wire::to_json(reply));
  }
}

}  // namespace emud
