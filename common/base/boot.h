// Which boot of the machine this is.
#pragma once

#include <string>

namespace emud {

// /proc/sys/kernel/random/boot_id, 36 characters, made anew at each boot (proc_sys_kernel(5)), so
// that it stands for the kernel as well; empty where the kernel does not tell. Read once.
[[nodiscard]] const std::string& boot_id();

}  // namespace emud
