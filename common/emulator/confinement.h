// What emud-fetcher is confined with (daemon/fetcher/confine.h), as far as the kernel has it.
#pragma once

#include <string>

namespace emud {

// What this kernel lacks, and what emud-fetcher could do therefore, for the log of whoever starts
// it: it runs all the same, as a user without rights. Empty where nothing is missing.
[[nodiscard]] std::string missing_confinement();

}  // namespace emud
