// The store and the catalog as the daemon uses them: whatever may hash, read much or use the
// network happens in a helper process; what is known to be unchanged is answered at once.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/async.h"
#include "daemon/options.h"
#include "daemon/shared_jobs.h"
#include "emulator/acquire.h"
#include "emulator/catalog_fetch.h"
#include "emulator/remembered.h"
#include "emulator/store.h"

namespace emud {

// Which emulator a handler has.
struct UsedEmulator {
  std::string version, digest;
};

class Emulators {
 public:
  Emulators(const asio::any_io_executor& executor, const Options& options)
      : options_(options), store_(options.paths), jobs_(executor) {}

  // Sees to it that get() finds an emulator for each of these architectures: copies the machine's
  // own one where it is new, and fetches what the rule (emulator/choose.h) says must be fetched,
  // unless may_fetch or the configuration forbids it. Clients that want the same at the same time
  // share the work. The listener hears of the progress as JSON of wire::Progress; it must outlive
  // the call. The errors of acquire_emulators.
  [[nodiscard]] Task<Result<void>> prepare(std::vector<const Architecture*> architectures,
                                           std::string version, bool may_fetch,
                                           const ReportListener& listener);

  // The emulator for an architecture by the same rule, of those that are there. not_found with a
  // hint.
  [[nodiscard]] Task<Result<VerifiedEmulator>> get(const Architecture& architecture,
                                                   std::string version);

  // Installs from the catalog: that version, or without one the configured or the catalog's
  // default. Shared and reported as prepare() does.
  [[nodiscard]] Task<Result<std::vector<Manifest>>> install(
      std::vector<const Architecture*> architectures, std::string version,
      const ReportListener& listener);

  // Runs other work on the store, shared and reported as prepare() does, by that key: its text.
  [[nodiscard]] Task<Result<std::string>> share(std::string key, ReportingWork work,
                                                const ReportListener& listener) {
    return jobs_.run(std::move(key), std::move(work), listener);
  }

  // What is installed.
  [[nodiscard]] Result<std::vector<Manifest>> list() const { return store_.list(); }
  [[nodiscard]] const Store& store() const { return store_; }

  // The catalog, read again when one of its files has changed. A broken one is an error; prepare()
  // and get() then go on without it, and log why.
  [[nodiscard]] Result<std::shared_ptr<const Catalog>> catalog();
  [[nodiscard]] std::shared_ptr<const Catalog> catalog_or_none();

  // Adds what the user of an emulator should know: what is known to be wrong with it, and why a
  // better one could not be had for a request of that version (empty: of none).
  void add_notes(std::vector<std::string>& notes, const Architecture& architecture,
                 const UsedEmulator& used, const std::string& version);

  // Whether a request would fetch that package although something that serves is installed.
  [[nodiscard]] bool would_fetch(const CatalogPackage& package) const;

 private:
  // What the answer depends on (emulator/fingerprint.h), as far as the catalog was read.
  [[nodiscard]] std::string fingerprint(const Architecture& architecture) const;
  [[nodiscard]] bool is_prepared(const Architecture& architecture, const std::string& version,
                                 bool fetches) const;
  // Store::get(), remembered for as long as the file does not change.
  [[nodiscard]] Result<VerifiedEmulator> get_by_digest(const std::string& digest);

  struct Prepared {
    std::string fingerprint, digest;
    std::string note;              // as in Acquired
    bool may_be_bettered = false;  // as in Acquired
  };

  const Options& options_;
  Store store_;
  SharedJobs jobs_;
  std::shared_ptr<const Catalog> catalog_;
  std::string catalog_state_;
  std::optional<Error> catalog_error_;
  std::map<std::string, Prepared, std::less<>> prepared_;  // by architecture and version
  std::map<std::string, RememberedEmulator> remembered_;   // by digest
};

// What the configuration says about fetching.
[[nodiscard]] FetchOptions fetch_options(const Options& options);

// The text of a worker's report about an installation.
[[nodiscard]] std::string as_report(const InstallProgress& progress);

}  // namespace emud
