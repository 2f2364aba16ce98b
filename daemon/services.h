// What the methods work with: the daemon's parts, made once by main.
#pragma once

#include "daemon/activity.h"
#include "daemon/connections.h"
#include "daemon/emulators.h"
#include "daemon/events.h"
#include "daemon/handover.h"
#include "daemon/host_handlers.h"
#include "daemon/intake.h"
#include "daemon/lease_usage.h"
#include "daemon/leases.h"
#include "daemon/options.h"
#include "daemon/orphans.h"
#include "daemon/store_changes.h"
#include "daemon/turns.h"
#include "sandbox/proofs.h"

namespace emud {

struct Services {
  Services(const asio::any_io_executor& loop, const Options& given)
      : executor(loop),
        options(given),
        activity(loop),
        emulators(loop, given),
        store_changes(emulators, given.paths.store(), events),
        proofs(given.paths.proofs()),
        host(loop, emulators, proofs, options, events, activity),
        orphans(loop),
        leases(loop, options, orphans, events, activity),
        connections(loop),
        turns(loop, given.requests_per_second_per_user, given.max_bring_ups_per_user),
        intake(loop, given.max_message_memory_per_user, max_waiting_descriptors) {}

  asio::any_io_executor executor;
  const Options& options;
  PassedFds passed;  // by systemd
  Events events;
  Activity activity;
  Emulators emulators;
  StoreChanges store_changes;
  Proofs proofs;
  HostHandlers host;
  Orphans orphans;
  Leases leases;
  Connections connections;
  Turns turns;
  Intake intake;
  LeaseUsages usages;

  // In messages of one user that are not answered yet: a Run has at most 253, emuctl sends few.
  static constexpr std::size_t max_waiting_descriptors = 2048;
};

}  // namespace emud
