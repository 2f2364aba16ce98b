// Emulators from a file that somebody gave: a binary, or a Debian package of several.
#pragma once

#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "base/result.h"
#include "emulator/digest.h"
#include "emulator/store.h"

namespace emud {

// Installs what the file holds. It is copied first, so that nobody can change it meanwhile, and the
// copy must hash to `expected`: digest_mismatch, which names both. What it is, its content tells:
//  - an ELF file is one emulator, for `wanted` or else the architecture in its name
//    (qemu-<arch>[-static]); invalid_argument if neither tells;
//  - a Debian package ("!<arch>", deb(5)) is opened by emud-fetcher, as an unprivileged process.
//    usr/bin/qemu-<arch>-static, else usr/bin/qemu-<arch>, is installed for `wanted`, or else for
//    every architecture that emud knows and the package has.
// Returns the manifests of all, in the order of the architectures. Either all are installed or
// none: after a failure, what this call brought into the store is removed again. bad_package for
// any other file and for archives that are broken or hostile; the errors of Store::install. name is
// the file's path or URL: it goes into manifests and errors.
[[nodiscard]] Result<std::vector<Manifest>> install_file(const Store& store, int file,
                                                         std::string_view name,
                                                         const Digest& expected,
                                                         const Architecture* wanted);

}  // namespace emud
