// What the administrator says: the command line of emud and its configuration file (CLI11 reads
// both, with the same names).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/paths.h"
#include "sandbox/limits.h"

namespace emud {

enum class PrivateAccess { everyone, group };

struct Options {
  Paths paths = Paths::system();
  std::string group = "emud";  // whose members may use the host scope and the store
  PrivateAccess private_access = PrivateAccess::everyone;
  std::size_t max_leases = 256;
  std::size_t max_leases_per_user = 64;
  std::size_t max_connections = 1024;
  std::size_t max_connections_per_user = 256;
  std::size_t max_bring_ups_per_user = 8;  // worked on at the same time; more wait
  std::uint64_t max_message_memory_per_user = 64 << 20;
  std::size_t requests_per_second_per_user = 1000;  // 0: no limit
  LeaseLimits lease_limits{.processes = 8192, .memory = 0, .cpu_weight = 0, .seconds = 0};
  std::vector<std::string> mirrors;     // of Debian's archive, asked before apt's
  std::string proxy;                    // for downloads; empty: as the environment says
  std::string no_proxy;                 // hosts that need none; empty: as the environment says
  std::uint32_t patience_seconds = 30;  // with a source that brings next to nothing
  std::string default_emulator;  // the version for requests that name none; empty: choose.h's
  bool fetch = true;             // whether emulators that are not installed may be fetched
  // Seconds. Of host handlers without a holder; of a restarted emud's patience with the holders of
  // its leases; before an emud that systemd started by its socket ends (0: never).
  std::uint32_t linger_seconds = 0;
  std::uint32_t reconnect_seconds = 10;
  std::uint32_t idle_exit_seconds = 300;
  double kill_after_seconds = 0.4;  // between SIGTERM to a command and the end of its lease
  std::optional<int> ready_fd;      // gets "ready\n" once emud listens
  bool reconcile_only = false;
  Level log_level = Level::info;

  [[nodiscard]] std::chrono::milliseconds kill_after() const {
    return std::chrono::milliseconds{static_cast<std::int64_t>(kill_after_seconds * 1000)};
  }
};

// Parses the command line. Prints help or what is wrong itself; the result is the exit status then:
// 0 for help, 2 for wrong usage or a wrong configuration key or value.
[[nodiscard]] std::expected<Options, int> parse_options(int argc, char** argv);

}  // namespace emud
