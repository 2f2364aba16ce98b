#include "daemon/sweep.h"

#include "daemon/worker.h"

namespace emud {

Task<Result<void>> sweep(Services& services, Sweep mode) {
  const Store& store = services.emulators.store();
  Work work = [&store, mode]() -> Result<std::string> {
    EMUD_TRY(store.sweep(mode));
    return std::string{};
  };
  const auto done = co_await run_worker(std::move(work));
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>{};
}

}  // namespace emud
