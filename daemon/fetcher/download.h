// Gets one file from one source with libcurl.
#pragma once

#include "base/result.h"
#include "daemon/fetcher/job.h"

namespace emud::fetcher {

// Everything that needs files of the machine: libcurl, OpenSSL and their settings, the trusted
// certificates ($SSL_CERT_FILE, else the system's). Call it once, before confine_downloading().
[[nodiscard]] Result<> prepare_downloading();

// Writes what the URL serves to `output`, an empty regular file, from its beginning, and lines
// "<done> <all>" to `progress`. A connection that breaks is taken up again where it broke (Range,
// RFC 9110 section 14), or from the beginning where the server does not do that, max_attempts times
// in all.
// not_found: this source does not serve, with the reason (refused, resolving, TLS, an HTTP status,
// a redirect to anything but http and https or one too many, too long, too short, too slow, broken
// too often). system, with errno: the output cannot be written.
[[nodiscard]] Result<> download(const Job& job, int output, int progress);

}  // namespace emud::fetcher
