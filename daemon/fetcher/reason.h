// Why a source does not serve, in words for whoever asked for the download.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace emud::fetcher {

[[nodiscard]] Failure bad_source(std::string_view reason);

// What is known of a transfer that failed.
struct Ending {
  CURLcode code;              // of curl_easy_perform(3)
  std::string_view details;   // what that left in its error buffer
  std::string_view location;  // where the last redirect led to; empty: there was none
};
[[nodiscard]] std::string describe(CURL* curl, const Ending& ending);

// An HTTP status that brings no file: "the server answered 404 (not found)".
[[nodiscard]] std::string describe_status(long status);

// On average, against min_average.
[[nodiscard]] std::string too_slow(std::uint64_t bytes, std::chrono::seconds taken);

}  // namespace emud::fetcher
