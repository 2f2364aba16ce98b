// Tells who watches (events.h) which emulators came to the store and which went, whoever did it: an
// installation, a fetch for a request, a worker that found one spoilt.
#pragma once

#include <ctime>
#include <map>
#include <string>

#include "daemon/emulators.h"
#include "daemon/events.h"

namespace emud {

class StoreChanges {
 public:
  // directory: the store's.
  StoreChanges(const Emulators& emulators, std::string directory, Events& events)
      : emulators_(emulators), directory_(std::move(directory)), events_(events) {}

  // Takes what is there for known. To be called once, before the first look().
  void begin();

  // Publishes emulator_installed and emulator_removed for what has changed since the last look. To
  // be called after whatever may have changed the store; cheap if nothing did.
  void look();

 private:
  using Known = std::map<std::string, Manifest, std::less<>>;  // by digest

  [[nodiscard]] bool may_have_changed();
  [[nodiscard]] Known list() const;

  const Emulators& emulators_;
  std::string directory_;
  Events& events_;
  Known known_;
  timespec last_{};  // when its directory had changed at the last look
};

}  // namespace emud
