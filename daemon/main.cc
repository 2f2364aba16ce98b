// emud: the privileged daemon. Reads its options, cleans up after an earlier one, listens, serves
// until a signal.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/lease_cgroups.h"
#include "daemon/options.h"
#include "daemon/reconcile.h"
#include "daemon/server.h"
#include "daemon/services.h"
#include "daemon/watchdog.h"
#include "emulator/confinement.h"
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

// Once, not with each download.
void tell_of_missing_confinement() {
  const std::string missing = missing_confinement();
  if (!missing.empty()) log(Level::warning, fmt::format("this kernel has {}", missing));
}

// One emud a runtime directory: a second one would take the first one's leases for stale. A lock of
// fcntl(2), which no child inherits. The descriptor stays open until the process ends.
Result<> lock_runtime_directory(const Paths& paths) {
  const std::string path = paths.runtime + "/lock";
  EMUD_ASSIGN(UniqueFd file, open_at(AT_FDCWD, path, O_RDWR | O_CREAT, 0600));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_SETLK, &lock) != 0) {
    return fail(Errc::busy, "lock", path, "another emud uses this runtime directory",
                "It cleans up by itself; for a second emud give another --runtime-dir");
  }
  [[maybe_unused]] const int kept = file.release();
  return {};
}

// Until a signal asks emud to end: SIGTERM, SIGINT, or SIGUSR2, after which another emud takes
// over.
Task<int> wait_for(asio::signal_set& signals) {
  co_return co_await signals.async_wait(asio::use_awaitable);
}

// Until a signal (its number) or until nobody needs emud any more (0). keeps_limits: those of
// leases go with it.
Task<int> serve_clients(Services& services, Server& server, asio::signal_set& signals,
                        bool is_passed, bool keeps_limits) {
  using asio::experimental::awaitable_operators::operator||;
  const std::chrono::seconds limit{services.options.idle_exit_seconds};
  const std::function<bool()> needed = [&] {
    return !is_passed || limit.count() == 0 || server.is_serving() ||
           services.host.has_handlers() || services.leases.need_emud() ||
           (keeps_limits && !services.leases.list().empty());
  };
  for (;;) {
    const auto outcome =
        co_await (server.run() || wait_for(signals) || services.activity.until_idle(needed, limit));
    if (outcome.index() == 1) co_return std::get<1>(outcome);
    // A client that was accepted at that very moment is served. One that was not is systemd's to
    // keep for the next emud.
    if (outcome.index() == 2 && !needed()) co_return 0;
  }
}

// Leaves nothing that hangs on a running emud, or all of it to the next one.
Task<void> end_service(Services& services, bool hands_over) {
  ::sd_notify(0, "STOPPING=1");
  if (hands_over) {
    log(Level::notice, "host leases are left to the next emud");
    services.leases.hand_over();
  } else {
    services.leases.end_acquired();
  }
  co_await services.connections.hang_up();
  co_await services.leases.drain();
  co_await services.host.drain();
  services.host.end_lingering();
}

Task<Result<void>> serve(Services& services) {
  // Before anybody is told that emud is there: a signal after that must not just kill it.
  asio::signal_set signals{services.executor, SIGTERM, SIGINT, SIGUSR2};
  spawn(services.executor, services.orphans.run());
  spawn(services.executor, feed_watchdog(services.executor));
  spawn(services.executor, services.host.watch());
  const bool keeps_limits =
      !services.options.reconcile_only && hand_down_controllers(services.options);
  co_await reconcile(services);
  renew_limits(services.leases);
  if (services.options.reconcile_only) {
    co_await services.host.drain();
    take_back_controllers(services.options);
    co_return Result<void>{};
  }
  tell_of_missing_confinement();
  auto listener = make_listener(services.options, std::move(services.passed.sockets));
  if (!listener) co_return std::unexpected(listener.error());
  const bool is_passed = listener->is_passed;
  if (auto told = tell_ready(services.options); !told) co_return told;
  services.leases.expect_holders();
  Server server{services, std::move(listener->socket)};
  const int signal = co_await serve_clients(services, server, signals, is_passed, keeps_limits);
  bool hands_over = signal == SIGUSR2;
  if (signal == SIGTERM) hands_over = co_await is_being_restarted();
  server.stop_listening();
  // A socket that is not there tells clients that emud was stopped, and is not just restarting.
  if (!is_passed && !hands_over) ::unlink(services.options.paths.socket.c_str());
  co_await end_service(services, hands_over);
  take_back_controllers(services.options);
  co_return Result<void>{};
}

int run(const Options& options) {
  PassedFds passed = take_passed_fds();
  set_log_level(options.log_level);
  use_journal();
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
  if (auto locked = lock_runtime_directory(options.paths); !locked) {
    log(locked.error());
    return 1;
  }
  asio::io_context loop{1};
  Services services{loop.get_executor(), options};
  services.passed = std::move(passed);
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
