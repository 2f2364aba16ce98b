// Remembered probes: a proof holds until reboot for exactly this emulator, these flags and this
// kind of scope on this kernel (invariant 3).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace emud {

class Proofs {
 public:
  // directory: need not exist yet.
  explicit Proofs(std::string directory) : directory_(std::move(directory)) {}

  // scope: "host", "private" or "rootless"; digest: the emulator's. One access(2).
  [[nodiscard]] bool has(std::string_view architecture, std::string_view digest,
                         std::string_view scope) const;

  // Failing to write is no failure of the lease: the next one probes again.
  void remember(std::string_view architecture, std::string_view digest,
                std::string_view scope) const;

  // After a failed start of anything, every proof is in doubt.
  void forget_all() const;

 private:
  [[nodiscard]] std::string file(std::string_view architecture, std::string_view digest,
                                 std::string_view scope) const;
  std::string directory_;
};

}  // namespace emud
