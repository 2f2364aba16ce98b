// org.varlink.service: what every Varlink server answers.
#pragma once

#include <optional>

#include "wire/messages.h"

namespace emud {

// The reply, where the call is one of org.varlink.service.
[[nodiscard]] std::optional<wire::Reply> serve_varlink_service(const wire::Call& call);

}  // namespace emud
