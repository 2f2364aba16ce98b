// The temporary directories in which the store's entries are made.
#pragma once

#include <string>

#include "emulator/store.h"
#include "emulator/store_entry.h"

namespace emud {

// A directory .tmp-<random> inside a store, mode 0700, locked (flock(2)) as long as this lives so
// that sweep_temporaries() leaves it alone. Removed with all in it when this goes, unless it was
// published.
class [[nodiscard]] TemporaryDirectory {
 public:
  // store must outlive it.
  [[nodiscard]] static Result<TemporaryDirectory> make(const StoreDirectory& store);

  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Writes everything to disk and gives the directory its name in the store, mode 0755. `exists`
  // when a directory of that name is there already; then it stays a temporary.
  [[nodiscard]] Result<> publish(const std::string& name);

 private:
  TemporaryDirectory(const StoreDirectory& store, std::string name, UniqueFd fd)
      : store_(&store), name_(std::move(name)), fd_(std::move(fd)) {}
  const StoreDirectory* store_;
  std::string name_;  // empty: nothing to remove
  UniqueFd fd_;
};

// Takes a name out of the store in one step and then removes what it was. not_found.
[[nodiscard]] Result<> discard(const StoreDirectory& store, const std::string& name);

// Removes temporaries: see Sweep.
[[nodiscard]] Result<> sweep_temporaries(const StoreDirectory& store, Sweep mode);

}  // namespace emud
