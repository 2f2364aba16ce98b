// A worker's reports as the intermediate replies of a call.
#pragma once

#include <string>

#include "daemon/call.h"
#include "daemon/worker.h"

namespace emud {

// Sends one report (JSON of wire::Progress) in a Reply that has a `progress`.
template <class Reply>
Task<void> send_progress(CallContext& context, std::string report) {
  auto progress = wire::from_json<wire::Progress>(report);
  if (!progress) co_return;
  Reply reply;
  reply.progress = *std::move(progress);
  co_await context.progress(wire::to_json(reply));
}

// The listener that does it for all reports. The context must outlive it.
template <class Reply>
[[nodiscard]] ReportListener progress_listener(CallContext& context) {
  return
      [&context](std::string report) { return send_progress<Reply>(context, std::move(report)); };
}

}  // namespace emud
