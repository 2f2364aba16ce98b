// Whole small files, read and written through directory descriptors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace emud {

// openat(2) with O_CLOEXEC added. directory may be AT_FDCWD.
[[nodiscard]] Result<UniqueFd> open_at(int directory, const std::string& path, int flags,
                                       mode_t mode = 0);

// The whole file, at most limit bytes (limit_exceeded beyond). Works for /proc files, whose size is
// 0.
[[nodiscard]] Result<std::string> read_file(int directory, const std::string& path,
                                            std::size_t limit = 1 << 20);
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit = 1 << 20);

// All that is left to read from fd, at most limit bytes.
[[nodiscard]] Result<std::string> read_all(int fd, std::string_view name, std::size_t limit);

// Writes everything, whatever write(2) takes at a time. name is for the error.
[[nodiscard]] Result<> write_all(int fd, std::string_view name, std::string_view bytes);

// One write(2) into an existing file, as the control files of proc, sysfs and cgroup want it.
[[nodiscard]] Result<> write_control(int directory, const std::string& path,
                                     std::string_view bytes);

// Replaces a file in one step: readers see the old or the new one, whole. It is written without a
// name where the file system can do that, so that nothing is left of it by who is killed meanwhile.
// `durable`: after a power cut too (fsync); not needed for what does not outlive the boot.
enum class Durability { until_reboot, durable };
[[nodiscard]] Result<> replace_file(int directory, const std::string& name, std::string_view bytes,
                                    mode_t mode, Durability durability = Durability::durable);

// Creates path and its missing parents (mkdir -p) and opens it. Existing directories keep their
// mode. Where none can be made (procfs) that is no not_found.
[[nodiscard]] Result<UniqueFd> make_directories(const std::string& path, mode_t mode);

// Removes a directory and all below it, never crossing a symbolic link. A missing one is no error,
// nor is a directory of this user's that he has taken the rights on from himself.
[[nodiscard]] Result<> remove_tree(int directory, const std::string& name);

// The names in a directory, without "." and "..", sorted.
[[nodiscard]] Result<std::vector<std::string>> list_directory(int directory,
                                                              const std::string& path);

}  // namespace emud
