// The caller's side of `emud-fetcher unpack`, which opens packages as an unprivileged process.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "base/unique_fd.h"
#include "emulator/store.h"

namespace emud {

// An emulator taken out of a package: not checked in any way.
struct UnpackedEmulator {
  const Architecture* architecture;
  std::string member;  // its path in the package
  UniqueFd file;       // unnamed, on the store's filesystem
};

// What is wanted of a package.
struct PackageMember {
  const Architecture* architecture;
  std::string path;  // in the package, relative
};

// Takes those of these members out of a Debian package that it has, in their order. bad_package,
// with the reason, for an archive that is broken or hostile; not_found when emud-fetcher is not
// installed; ENOSPC and the like, with the member, when an output cannot be written; system when it
// fails otherwise. package is read from its beginning; name is for the
// error.
[[nodiscard]] Result<std::vector<UnpackedEmulator>> unpack_members(
    const Store& store, int package, std::string_view name, std::span<const PackageMember> members);

// Takes the emulators of these architectures that it has out of a Debian package: at most one each,
// usr/bin/qemu-<arch>-static before usr/bin/qemu-<arch>. The errors of unpack_members.
[[nodiscard]] Result<std::vector<UnpackedEmulator>> unpack_emulators(
    const Store& store, int package, std::string_view name,
    std::span<const Architecture* const> architectures);

}  // namespace emud
