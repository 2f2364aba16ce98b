// What the methods work with: the daemon's parts, made once by main.
#pragma once

#include "daemon/connections.h"
#include "daemon/emulators.h"
#include "daemon/host_handlers.h"
#include "daemon/leases.h"
#include "daemon/options.h"
#include "daemon/orphans.h"
#include "sandbox/proofs.h"

namespace emud {

struct Services {
  Services(const asio::any_io_executor& loop, const Options& given)
      : executor(loop),
        options(given),
        emulators(given.paths),
        proofs(given.paths.proofs()),
        host(loop, emulators, proofs, options.paths),
        orphans(loop),
        leases(loop, options, orphans),
        connections(loop) {}

  asio::any_io_executor executor;
  const Options& options;
  Emulators emulators;
  Proofs proofs;
  HostHandlers host;
  Orphans orphans;
  Leases leases;
  Connections connections;
};

}  // namespace emud
