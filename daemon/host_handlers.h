// The handlers of the host scope: one entry for each architecture, shared and counted. The first
// hold brings it up and proves it, the last takes it away; a pin keeps it. Each is recorded on disk
// before it is registered.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "binfmt/rule.h"
#include "daemon/async.h"
#include "daemon/emulators.h"
#include "sandbox/proofs.h"
#include "wire/messages.h"

namespace emud {

class HostHandlers;

// One lease's share in a handler. Going out of scope posts the release; release() waits for it.
class [[nodiscard]] HostHold {
 public:
  HostHold(HostHandlers& handlers, std::string architecture)
      : handlers_(&handlers), architecture_(std::move(architecture)) {}
  HostHold(HostHold&& other) noexcept
      : handlers_(std::exchange(other.handlers_, nullptr)),
        architecture_(std::move(other.architecture_)) {}
  HostHold& operator=(HostHold&& other) noexcept;
  HostHold(const HostHold&) = delete;
  HostHold& operator=(const HostHold&) = delete;
  ~HostHold();

  [[nodiscard]] Task<void> release();

 private:
  HostHandlers* handlers_;
  std::string architecture_;
};

class HostHandlers {
 public:
  HostHandlers(const asio::any_io_executor& executor, Emulators& emulators, Proofs& proofs,
               const Paths& paths);

  // A hold on the handler, which is registered, proven and of that version (empty: any). busy if it
  // is in use with another version.
  [[nodiscard]] Task<Result<HostHold>> hold(const Architecture& architecture, std::string version);

  // Keeps the handler without a holder until unpin; persist: after a reboot too.
  [[nodiscard]] Task<Result<wire::Handler>> pin(const Architecture& architecture,
                                                std::string version, bool persist);
  // True: the handler is gone; false: leases still hold it. not_found if it is not pinned.
  [[nodiscard]] Task<Result<bool>> unpin(const Architecture& architecture);

  [[nodiscard]] std::vector<wire::Handler> list() const;
  [[nodiscard]] std::vector<std::string> pinned() const;

  // At start, from the records an earlier emud left: pins come back, `held` ones (architectures of
  // adopted leases) stay, the rest is removed.
  [[nodiscard]] Task<void> recover(std::vector<std::string> held);

  // A hold on what recover() kept, for an adopted lease.
  [[nodiscard]] HostHold adopt(const std::string& architecture);

  // Completes when every release that was posted is done.
  [[nodiscard]] Task<void> drain();

 private:
  friend class HostHold;

  struct Handler {
    explicit Handler(const asio::any_io_executor& executor) : mutex(executor) {}
    AsyncMutex mutex;  // bring-up and removal, one at a time
    Rule rule;
    std::string version, digest;
    bool is_up = false;
    bool pinned = false;
    bool persistent = false;
    int leases = 0;
  };

  [[nodiscard]] Handler& handler(std::string_view architecture);
  [[nodiscard]] Task<Result<void>> bring_up(const Architecture& architecture, Handler& state,
                                            std::string version);
  [[nodiscard]] Result<> put_back(const Architecture& architecture, const Handler& state);
  [[nodiscard]] Result<> save(const std::string& architecture, const Handler& state);
  [[nodiscard]] Task<Result<void>> recover_one(const Architecture& architecture, std::string text,
                                               bool is_held);
  void take_down(const std::string& architecture, Handler& state);
  [[nodiscard]] Task<void> release(std::string architecture);
  void post_release(std::string architecture);

  asio::any_io_executor executor_;
  Emulators& emulators_;
  Proofs& proofs_;
  const Paths& paths_;
  std::map<std::string, std::unique_ptr<Handler>, std::less<>> handlers_;
  int posted_ = 0;
  std::shared_ptr<asio::steady_timer> drained_;
};

}  // namespace emud
