// The directories in which Nix's builders work. Since 2.30 they are below the store's state
// whatever TMPDIR is, unless `build-dir` says where (nix.conf(5)); Nix that is killed leaves them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace emud {

// The path of that name in the folder they are in: build-dir of the machine's nix.conf, else below
// the state of the store that the environment's NIX_REMOTE names. Empty where that is a daemon's or
// on another machine.
[[nodiscard]] std::string nix_builds(const std::vector<std::string>& environment,
                                     std::string_view name);

// Whether a Nix with that environment is told its build-dir by NIX_CONFIG or by a nix.conf of its
// user's, which this process must be able to read.
[[nodiscard]] bool sets_build_dir(const std::vector<std::string>& environment);

// Makes that path, for build-dir. False, and nothing is made, where this Nix,
// the program or its name in PATH, has them elsewhere: there is no such folder, and it is too old
// to make one. An old one would warn of the setting. It may be entered, not read, by others: Nix
// takes none that everybody may write, and builders without a sandbox pass through it.
[[nodiscard]] Result<bool> make_nix_builds(const std::string& path, const std::string& program);

}  // namespace emud
