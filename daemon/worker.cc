#include "daemon/worker.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "wire/errors.h"

namespace emud {
namespace {

// What a frame from the worker begins with: '=' its result, '+' a report; an error is JSON.
constexpr char result_mark = '=';
constexpr char report_mark = '+';

[[noreturn]] void work_and_report(const ReportingWork& work, Channel channel, pid_t parent) {
  ::prctl(PR_SET_NAME, "emud-worker");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);     // nobody would take its result
  if (::getppid() != parent) ::_exit(0);  // it was gone before that
  const Report report = [&channel](const std::string& text) {
    [[maybe_unused]] const auto sent = channel.send(Frame{report_mark + text});
  };
  const auto result = work(report);
  const std::string text =
      result ? result_mark + *result
             : wire::encode(wire::error_reply(wire::manager_interface, result.error()));
  if (const auto sent = channel.send(Frame{text}); !sent) log(sent.error());
  ::_exit(0);
}

// The worker's last frame; what it reports before goes to the listener.
Task<Result<Frame>> last_frame(AsyncChannel& channel, const ReportListener& listener) {
  for (;;) {
    auto frame = co_await channel.receive();
    if (!frame || !frame->json.starts_with(report_mark)) co_return frame;
    if (!listener) continue;
    std::string text = frame->json.substr(1);
    co_await listener(std::move(text));
  }
}

}  // namespace

Task<Result<std::string>> run_reporting_worker(ReportingWork work, ReportListener listener,
                                               int keep) {
  auto pair = make_socket_pair();
  if (!pair) co_return std::unexpected(std::move(pair).error());
  const pid_t self = ::getpid();
  auto started = clone_child();
  if (!started) co_return std::unexpected(std::move(started).error());
  Child child = *std::move(started);
  if (!child) {
    std::vector<int> kept(1, pair->second.get());
    kept.push_back(keep);
    close_other_fds(std::move(kept));
    work_and_report(work, Channel{std::move(pair->second)}, self);
  }
  pair->second.reset();
  AsyncChannel channel{co_await asio::this_coro::executor, Channel{std::move(pair->first)}};
  const auto frame = co_await last_frame(channel, listener);
  const ExitStatus status = co_await wait_for(child);
  if (!frame && frame.error().code != Errc::disconnected) co_return std::unexpected(frame.error());
  if (!frame) {
    co_return fail(Errc::internal, "run", "a helper process of emud",
                   "it ended without a result (signal " + std::to_string(status.signal) + ")",
                   "Look at the log of emud, and at the memory left on this machine");
  }
  if (frame->json.starts_with(result_mark)) co_return frame->json.substr(1);
  const auto reply = wire::parse_reply(frame->json);
  if (!reply) co_return std::unexpected(reply.error());
  co_return std::unexpected(wire::error_of(*reply));
}

Task<Result<std::string>> run_worker(Work work, int keep) {
  ReportingWork quiet = [&work](const Report&) { return work(); };
  ReportListener nobody;
  co_return co_await run_reporting_worker(std::move(quiet), std::move(nobody), keep);
}

}  // namespace emud
