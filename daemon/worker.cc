#include "daemon/worker.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "wire/errors.h"

namespace emud {
namespace {

[[noreturn]] void work_and_report(const Work& work, Channel report) {
  ::prctl(PR_SET_NAME, "emud-worker");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would take its result
  const auto result = work();
  const std::string text =
      result ? "=" + *result
             : wire::encode(wire::error_reply(wire::manager_interface, result.error()));
  [[maybe_unused]] const auto sent = report.send(Frame{text});
  ::_exit(0);
}

}  // namespace

Task<Result<std::string>> run_worker(Work work, int keep) {
  auto pair = make_socket_pair();
  if (!pair) co_return std::unexpected(std::move(pair).error());
  auto started = clone_child();
  if (!started) co_return std::unexpected(std::move(started).error());
  Child child = *std::move(started);
  if (!child) {
    std::vector<int> kept(1, pair->second.get());
    kept.push_back(keep);
    close_other_fds(std::move(kept));
    work_and_report(work, Channel{std::move(pair->second)});
  }
  pair->second.reset();
  AsyncChannel report{co_await asio::this_coro::executor, Channel{std::move(pair->first)}};
  const auto frame = co_await report.receive();
  const ExitStatus status = co_await wait_for(child);
  if (!frame) {
    co_return fail(Errc::internal, "run", "a helper process of emud",
                   "it ended without a result (signal " + std::to_string(status.signal) + ")",
                   "Look at the log of emud, and at the memory left on this machine");
  }
  if (frame->json.starts_with('=')) co_return frame->json.substr(1);
  const auto reply = wire::parse_reply(frame->json);
  if (!reply) co_return std::unexpected(reply.error());
  co_return std::unexpected(wire::error_of(*reply));
}

}  // namespace emud
