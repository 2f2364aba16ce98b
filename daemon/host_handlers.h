// The handlers of the host scope: one entry for each architecture, shared and counted. The first
// hold brings it up and proves it, the last takes it away (at once, or after the time it lingers);
// a pin keeps it. Each is recorded on disk before it is registered. While one is up, emud watches
// the host's binfmt_misc and puts back what others remove.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binfmt/registry.h"
#include "binfmt/rule.h"
#include "binfmt/standing.h"
#include "binfmt/watch.h"
#include "daemon/activity.h"
#include "daemon/async.h"
#include "daemon/emulators.h"
#include "daemon/events.h"
#include "daemon/heal_pace.h"
#include "sandbox/proofs.h"
#include "wire/messages.h"

namespace emud {

class HostHandlers;
struct Options;

// One lease's share in a handler. Going out of scope posts the release; release() waits for it.
class [[nodiscard]] HostHold {
 public:
  HostHold(HostHandlers& handlers, std::string architecture, std::string holder,
           UsedEmulator emulator)
      : handlers_(&handlers),
        architecture_(std::move(architecture)),
        holder_(std::move(holder)),
        emulator_(std::move(emulator)) {}
  HostHold(HostHold&& other) noexcept
      : handlers_(std::exchange(other.handlers_, nullptr)),
        architecture_(std::move(other.architecture_)),
        holder_(std::move(other.holder_)),
        emulator_(std::move(other.emulator_)) {}
  HostHold& operator=(HostHold&& other) noexcept;
  HostHold(const HostHold&) = delete;
  HostHold& operator=(const HostHold&) = delete;
  ~HostHold();

  [[nodiscard]] Task<void> release();

  // Of the handler when the hold was taken; empty in one that was taken over from an earlier emud.
  [[nodiscard]] const UsedEmulator& emulator() const { return emulator_; }

 private:
  HostHandlers* handlers_;
  std::string architecture_, holder_;
  UsedEmulator emulator_;
};

class HostHandlers {
 public:
  HostHandlers(const asio::any_io_executor& executor, Emulators& emulators, Proofs& proofs,
               const Options& options, Events& events, Activity& activity);

  // A hold on the handler for `holder` (for the journal: "lease ... of user ..."); the handler is
  // registered, proven and of that version (empty: any). busy if it is in use with another version;
  // not_supported while binfmt_misc as a whole is switched off.
  [[nodiscard]] Task<Result<HostHold>> hold(const Architecture& architecture, std::string version,
                                            std::string holder);

  // Keeps the handler without a holder until unpin; persist: after a reboot too.
  [[nodiscard]] Task<Result<wire::Handler>> pin(const Architecture& architecture,
                                                std::string version, bool persist);
  // True: the handler is gone; false: leases still hold it. not_found if it is not pinned.
  [[nodiscard]] Task<Result<bool>> unpin(const Architecture& architecture);

  [[nodiscard]] std::vector<wire::Handler> list() const;
  [[nodiscard]] std::vector<std::string> pinned() const;
  // Whether any is up.
  [[nodiscard]] bool has_handlers() const;

  // What a user should know of an entry that is not emud's: that it hides or is hidden by one of
  // emud's, that it has the C flag. Empty: nothing.
  [[nodiscard]] std::string note_on(const Entry& entry) const;

  // A hold for a lease that was taken over, on a handler that recover() will then keep.
  [[nodiscard]] HostHold adopt(const Architecture& architecture, const std::string& holder);

  // At start, from the records an earlier emud left: pins come back, what an adopted lease holds
  // stays, the rest is removed.
  [[nodiscard]] Task<void> recover();

  // Puts back what others remove, until cancelled (host_healing.cc).
  [[nodiscard]] Task<void> watch();

  // Takes down what only lingers.
  void end_lingering();

  // Completes when every release that was posted is done.
  [[nodiscard]] Task<void> drain() { return releases_.drain(); }

 private:
  friend class HostHold;

  struct Handler {
    explicit Handler(const asio::any_io_executor& executor) : mutex(executor), linger(executor) {}
    AsyncMutex mutex;  // bring-up and removal, one at a time
    const Architecture* architecture = nullptr;
    Rule rule;
    std::string version, digest;
    std::optional<VerifiedEmulator> emulator;  // to put it back at once
    bool is_up = false;                        // registered, or may be
    bool is_proven = false;
    bool must_go = false;  // could not be removed so far, or its record could not
    bool waits = false;    // pinned or held, but could not be brought up when emud started
    bool pinned = false;
    bool persistent = false;
    std::vector<std::string> holders;
    asio::steady_timer linger;  // how much longer without a holder
    HealPace pace;
    std::optional<Error> fault;  // why it could not be put back or removed
    int healed = 0;              // how often it was
  };

  [[nodiscard]] Handler& handler(const Architecture& architecture);
  [[nodiscard]] Task<Result<void>> bring_up(const Architecture& architecture, Handler& state,
                                            std::string version);
  [[nodiscard]] Result<> add(Handler& state);
  [[nodiscard]] Result<> save(const Handler& state);
  void take_down(Handler& state);
  // The same, but a pin stays one: its record too.
  void withdraw(Handler& state);
  // may_stand: not only its record.
  void remove_entry(Handler& state, bool may_stand);
  [[nodiscard]] Result<> forget_record(const Handler& state);
  [[nodiscard]] Result<> forget_persistence(const Handler& state);
  [[nodiscard]] Task<void> release(std::string architecture, std::string holder);
  [[nodiscard]] Task<void> linger(Handler& state);

  // host_recovery.cc
  [[nodiscard]] Task<Result<void>> stand_up(Handler& state);
  [[nodiscard]] Task<void> stand_up_or_wait(Handler& state);
  [[nodiscard]] Task<void> stand_up_waiting();
  void remove_stale_entries();

  // host_healing.cc
  void begin_watch();
  void end_watch();
  void heal_all();
  void heal(Handler& state, Standing standing, Registry& registry);
  void cannot_heal(Handler& state, const Error& error);
  void heal_later(Handler& state, HealPace::Clock::time_point due);
  void retry_at(HealPace::Clock::time_point due);
  [[nodiscard]] Task<void> retry();
  void look_at_status(const Registry& registry);
  void tell_rivals(const Handler& state, const std::vector<Entry>& entries);

  asio::any_io_executor executor_;
  Emulators& emulators_;
  Proofs& proofs_;
  const Options& options_;
  Events& events_;
  Activity& activity_;
  std::map<std::string, std::unique_ptr<Handler>, std::less<>> handlers_;
  Posted releases_;
  std::optional<HostWatch> watch_;
  asio::steady_timer retry_;  // when a handler that has to wait may be put back
  bool is_retry_due_ = false;
  bool is_on_ = true;  // what `status` of binfmt_misc said last
};

}  // namespace emud
