// Probes from the daemon, each in a helper process.
#pragma once

#include "arch/architecture.h"
#include "daemon/async.h"

namespace emud {

// Proves a handler of the host scope.
[[nodiscard]] Task<Result<void>> probe_on_host(const Architecture& architecture);

// runs_natively() in a helper process, asked once: it is the CPU's nature.
[[nodiscard]] Task<bool> is_native(const Architecture& architecture);

// Whether this kernel gives user namespaces a binfmt_misc of their own, by trying it; the error
// says why not.
[[nodiscard]] Task<Result<void>> private_scope_support();

}  // namespace emud
