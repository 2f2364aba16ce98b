// The contract between emud and emud-fetcher, the unprivileged program that opens archives.
//
// emud-fetcher unpack MEMBER...
//   Descriptor 0 is a Debian package (deb(5)), a regular file. Each MEMBER ("usr/bin/qemu-arm")
//   that it has is written to the descriptor 3, 4, ... of the same position, an empty regular file.
//   For each it prints a line "<member> <size>" to descriptor 1.
//   Exit status 0; exit_bad_package for an archive that is broken or hostile; 1 for any other
//   failure; the reason is on descriptor 2.
#pragma once

#include <chrono>
#include <cstdint>

namespace emud::fetcher {

inline constexpr int exit_bad_package = 3;

// Bounds of what a package may hold, in bytes of unpacked data. All emulators of QEMU 10 together
// take 460 MB.
inline constexpr std::uint64_t max_member_size = std::uint64_t{256} << 20;
inline constexpr std::uint64_t max_total_size = std::uint64_t{1} << 30;
inline constexpr unsigned max_members = 100'000;

inline constexpr std::uint64_t unpack_cpu_seconds = 180;
inline constexpr std::chrono::seconds unpack_time{300};

}  // namespace emud::fetcher
