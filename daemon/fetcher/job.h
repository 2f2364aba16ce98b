// What emud-fetcher is asked to download: emulator/fetcher.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace emud::fetcher {

struct Job {
  std::string url;
  std::uint64_t max_size = 0;  // bytes
  bool is_exact = false;       // max_size is the size
  std::chrono::seconds connect{0};
  std::chrono::seconds stall{0};
  std::chrono::seconds grace{0};
};

// invalid_argument for a line that is none of those in the contract, and where one is missing.
[[nodiscard]] Result<Job> parse_job(std::string_view text);

}  // namespace emud::fetcher
