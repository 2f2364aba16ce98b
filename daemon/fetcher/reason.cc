#include "daemon/fetcher/reason.h"

#include <fmt/format.h>

#include <cstring>

#include "emulator/fetcher.h"

namespace emud::fetcher {
namespace {

std::string_view name_of_status(long status) {
  switch (status) {
    case 401:
      return " (a user and a password are wanted)";
    case 403:
      return " (forbidden)";
    case 404:
      return " (not found)";
    case 407:
      return " (the proxy wants a user and a password)";
    case 410:
      return " (gone)";
    case 429:
      return " (too many requests)";
    case 502:
    case 503:
    case 504:
      return " (not available now)";
    default:
      return "";
  }
}

std::string no_connection(CURL* curl, std::string_view details) {
  long error = 0;
  curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
  if (error == 0) return fmt::format("no connection: {}", details);
  return fmt::format("no connection: {}", std::strerror(static_cast<int>(error)));
}

}  // namespace

Failure bad_source(std::string_view reason) {
  return fail(Errc::not_found, "download", "", reason);
}

std::string too_slow(std::uint64_t bytes, std::chrono::seconds taken) {
  return fmt::format("too slow: {} bytes in {} s", bytes, taken.count());
}

std::string describe_status(long status) {
  return fmt::format("the server answered {}{}", status, name_of_status(status));
}

std::string describe(CURL* curl, const Ending& ending) {
  std::string details{ending.details.empty() ? curl_easy_strerror(ending.code) : ending.details};
  long status = 0;
  switch (ending.code) {
    case CURLE_HTTP_RETURNED_ERROR:
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      return describe_status(status);
    case CURLE_TOO_MANY_REDIRECTS:
      return fmt::format("it redirects more than {} times", max_redirects);
    case CURLE_UNSUPPORTED_PROTOCOL:  // also for an answer that is not HTTP
      if (ending.location.empty()) return details;
      return fmt::format("it redirects to '{}', and only http and https are taken",
                         ending.location);
    case CURLE_COULDNT_CONNECT:
      return no_connection(curl, details);
    case CURLE_OPERATION_TIMEDOUT:
      // Of two limits: connecting, too slow for too long.
      return fmt::format("too slow: {}", details);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("its TLS certificate cannot be trusted: {}", details);
    default:
      return details;
  }
}

}  // namespace emud::fetcher
