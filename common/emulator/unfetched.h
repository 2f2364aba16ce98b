// Packages that could not be fetched lately, so that a machine without a network does not wait for
// it again and again.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/paths.h"
#include "emulator/catalog.h"

namespace emud {

// Notes in the runtime directory. One that cannot be read or written is none.
class UnfetchedPackages {
 public:
  static constexpr std::chrono::hours lifetime{1};

  explicit UnfetchedPackages(const Paths& paths) : directory_(paths.runtime + "/unfetched") {}

  // Why it could not be fetched, if that was within `lifetime`.
  [[nodiscard]] std::optional<std::string> recall(const CatalogPackage& package) const;

  void remember(const CatalogPackage& package, std::string_view reason) const;
  void forget(const CatalogPackage& package) const;

 private:
  std::string directory_;
};

}  // namespace emud
