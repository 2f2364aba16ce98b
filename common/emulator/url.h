// Addresses of things to download.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace emud {

// http or https, a host, and no space or control character: invalid_argument otherwise.
[[nodiscard]] Result<> check_url(std::string_view url);

// The URL with what comes before '@' in its host part left out.
[[nodiscard]] std::string without_credentials(std::string_view url);

}  // namespace emud
