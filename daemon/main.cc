// emud: the privileged daemon. Reads its options, cleans up after an earlier one, listens, serves
// until a signal.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "daemon/options.h"
#include "daemon/reconcile.h"
#include "daemon/server.h"
#include "daemon/services.h"
#include "sandbox/descendants.h"

namespace emud {
namespace {

Result<> prepare_directories(const Paths& paths) {
  ::umask(022);
  EMUD_TRY(make_directories(paths.state, 0755));
  EMUD_TRY(make_directories(paths.runtime, 0755));
  return {};
}

// Each connection and each lease needs a few descriptors: getrlimit(2), RLIMIT_NOFILE.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<> tell_ready(const Options& options) {
  ::sd_notify(0, "READY=1\nSTATUS=Waiting for builds");
  if (!options.ready_fd) return {};
  UniqueFd ready{*options.ready_fd};
  return write_all(ready.get(), fmt::format("--ready-fd {}", *options.ready_fd), "ready\n");
}

Task<void> wait_for(asio::signal_set& signals) {
  co_await signals.async_wait(asio::use_awaitable);
}

Task<Result<void>> serve(Services& services) {
  using asio::experimental::awaitable_operators::operator||;
  asio::signal_set signals{services.executor, SIGTERM, SIGINT};
  asio::co_spawn(services.executor, services.orphans.run(), asio::detached);
  co_await reconcile(services);
  if (services.options.reconcile_only) {
    co_await services.host.drain();
    co_return Result<void>{};
  }
  auto listener = make_listener(services.options);
  if (!listener) co_return std::unexpected(listener.error());
  if (auto told = tell_ready(services.options); !told) co_return told;
  Server server{services, *std::move(listener)};
  co_await (server.run() || wait_for(signals));
  ::sd_notify(0, "STOPPING=1");
  co_await services.connections.hang_up();
  co_await services.leases.drain();
  co_await services.host.drain();
  co_return Result<void>{};
}

int run(const Options& options) {
  set_log_level(options.log_level);
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  if (auto reaper = become_subreaper(); !reaper) {
    log(reaper.error());
    return 1;
  }
  if (auto prepared = prepare_directories(options.paths); !prepared) {
    log(prepared.error());
    return 1;
  }
  asio::io_context loop{1};
  Services services{loop.get_executor(), options};
  int status = 0;
  asio::co_spawn(loop, serve(services), [&](const std::exception_ptr& thrown, Result<void> result) {
    if (thrown) {
      log(Level::error, "emud ends with an unexpected exception");
      status = 1;
    } else if (!result) {
      log(result.error());
      status = 1;
    }
    loop.stop();
  });
  loop.run();
  ::_exit(status);  // what is still suspended belongs to leases that go on without emud: its
                    // destructors would end them
}

}  // namespace
}  // namespace emud

int main(int argc, char** argv) {
  const auto options = emud::parse_options(argc, argv);
  if (!options) return options.error();
  return emud::run(*options);
}
