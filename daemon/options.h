// What the administrator says: the command line of emud and its configuration file (CLI11 reads
// both, with the same names).
#pragma once

#include <optional>
#include <string>

#include "base/log.h"
#include "base/paths.h"

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
  std::optional<int> ready_fd;  // gets "ready\n" once emud listens
  bool reconcile_only = false;
  Level log_level = Level::info;
};

// Parses the command line. Prints help or what is wrong itself; the result is the exit status then:
// 0 for help, 2 for wrong usage or a wrong configuration key or value.
[[nodiscard]] std::expected<Options, int> parse_options(int argc, char** argv);

}  // namespace emud
