// The contract between emud and emud-fetcher, the unprivileged program that talks to the network
// and opens archives (invariant 6). It is started by run_unprivileged (emulator/unprivileged.h) and
// confines itself further (daemon/fetcher/confine.h) before it reads a byte that nobody vouches
// for.
//
// emud-fetcher unpack MEMBER...
//   Descriptor 0 is a Debian package (deb(5)), a regular file. Each MEMBER ("usr/bin/qemu-arm")
//   that it has is written to the descriptor 3, 4, ... of the same position, an empty regular file.
//   For each it prints a line "<member> <size>" to descriptor 1.
//   Exit status 0; exit_bad_package for an archive that is broken or hostile; exit_output_failed
//   when an output cannot be written, with errno in decimal, a space and the member on descriptor
//   2; 1 for any other failure; the reason is on descriptor 2.
//
// emud-fetcher download
//   Descriptor 0 holds the job: lines of a key, a space and a value, each key once, in any order:
//     url              what to get, http or https
//     size             what it must have, in bytes; or instead
//     max-size         what it may have at most
//     connect-seconds  for resolving and connecting
//     stall-seconds    this long slower than min_bytes_per_second, and the source is given up
//     grace-seconds    for all of it, new attempts after a broken connection included, and a second
//                      more for each min_average bytes that came
//   Descriptor 3 is an empty regular file; nothing but the first max-size bytes of it is written.
//   The environment names proxies as libcurl-env(3) has them, and in SSL_CERT_FILE another file of
//   trusted certificates than the system's.
//   It prints lines "<bytes done> <bytes in all, 0: unknown>" to descriptor 1, the last one when it
//   is done. Exit status 0; exit_bad_source when this source does not serve; exit_output_failed
//   when descriptor 3 cannot be written, with errno in decimal on descriptor 2; 1 for any other
//   failure; the reason is on descriptor 2. Nothing it says is to be trusted, the file least of
//   all.
#pragma once

#include <chrono>
#include <cstdint>

namespace emud::fetcher {

inline constexpr int exit_bad_package = 3;
inline constexpr int exit_bad_source = 4;
inline constexpr int exit_output_failed = 5;

// Bounds of what a package may hold, in bytes of unpacked data. All emulators of QEMU 10 together
// take 460 MB.
inline constexpr std::uint64_t max_member_size = std::uint64_t{256} << 20;
inline constexpr std::uint64_t max_total_size = std::uint64_t{1} << 30;
inline constexpr unsigned max_members = 100'000;

inline constexpr std::uint64_t unpack_cpu_seconds = 180;
inline constexpr std::chrono::seconds unpack_time{300};

// Bounds of a download.
inline constexpr unsigned max_redirects = 5;
inline constexpr unsigned max_attempts = 5;          // connections for one source
inline constexpr long min_bytes_per_second = 4096;   // else stalled
inline constexpr std::uint64_t min_average = 16384;  // bytes a second, once the grace is over
inline constexpr std::uint64_t download_cpu_seconds = 120;

}  // namespace emud::fetcher
