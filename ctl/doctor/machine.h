// The machine that doctor examines: its files below a root directory that tests put elsewhere, and
// what has to be asked of the kernel and of emud, as plain values.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/paths.h"
#include "binfmt/rule.h"
#include "ctl/context.h"
#include "emulator/catalog.h"
#include "wire/messages.h"

namespace emud::ctl {

struct Caller {
  uid_t uid = 0;
  std::vector<gid_t> groups;  // of this process, all of them
  std::string name;           // from passwd; the number where there is none

  [[nodiscard]] bool is_root() const { return uid == 0; }
};

// How emud answers at its socket.
struct DaemonAnswer {
  std::optional<wire::GetStatusReply> status;  // it answered
  Error error;                                 // else why not
};

struct Machine {
  std::string root;     // prefixed to every path of a file; empty: the machine itself
  std::string release;  // uname(2)
  Caller caller;
  Endpoint endpoint;
  DaemonAnswer daemon;
  std::string own_version;                // emuctl's
  std::optional<Error> rootless_failure;  // why a private scope without emud failed; none: it works
  std::vector<Paths> stores;              // the system's, the caller's own where he has a home
  Catalog catalog;                        // of the emulators that may be fetched
  std::optional<Error> catalog_failure;   // why that could not be read
  std::string temporary = "/tmp";         // $TMPDIR
  std::string path;                       // $PATH
  std::optional<std::uint64_t> free_in_store, free_in_temporary;  // bytes

  // The file, where it can be read. Without the newline at its end.
  [[nodiscard]] std::optional<std::string> read(const std::string& file) const;
  [[nodiscard]] bool exists(const std::string& file) const;
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const;
  // Whether a program of that name is in PATH.
  [[nodiscard]] bool has_program(const std::string& name) const;

  // The fields of the line that begins with this name, in a file such as passwd(5), group(5) or
  // subuid(5).
  [[nodiscard]] std::optional<std::vector<std::string>> record(const std::string& file,
                                                               const std::string& name) const;

  // The group whose members may use the host scope: emud's word, else the one it has by default.
  [[nodiscard]] std::string group_name() const;
  // Whether the caller may use the host scope: root, or a member as emud finds out, which looks
  // into the databases and not at the groups of a process. Of users that passwd(5) does not know,
  // only their process can tell.
  [[nodiscard]] bool is_administrator() const;

  // Whether a seccomp filter confines the caller: then emud runs nothing for him.
  [[nodiscard]] bool has_seccomp_filter() const;

  // Whether emud gives this caller private leases.
  [[nodiscard]] bool has_private_leases_of_emud() const;
  // The same, or rootless.
  [[nodiscard]] bool has_private_leases() const;
  // Whether this caller can have a host lease.
  [[nodiscard]] bool has_host_leases() const;

  // Whether a build fetches an emulator that is not installed.
  [[nodiscard]] bool may_fetch() const;

  // The entries of the host's binfmt_misc, by name.
  [[nodiscard]] std::vector<Entry> handlers() const;
};

// This machine, as the caller sees it. Looks for emud at the endpoint, tries a private scope in a
// child, registers nothing.
[[nodiscard]] Machine this_machine(const Endpoint& endpoint, std::string own_version);

}  // namespace emud::ctl
