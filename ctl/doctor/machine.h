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
#include "wire/messages.h"

namespace emud::ctl {

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // of this process, supplementary
  std::string name;           // from passwd; the number where there is none

  [[nodiscard]] bool is_root() const { return uid == 0; }
  [[nodiscard]] bool is_in(gid_t group) const;
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
  std::string temporary = "/tmp";         // $TMPDIR
  std::string path;                       // $PATH
  std::optional<std::uint64_t> free_in_store, free_in_temporary;  // bytes

  // The file, where it can be read. Without the newline at its end.
  [[nodiscard]] std::optional<std::string> read(const std::string& file) const;
  [[nodiscard]] bool exists(const std::string& file) const;
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const;
  // Whether a program of that name is in PATH.
  [[nodiscard]] bool has_program(const std::string& name) const;

  // Whether this caller can have a private lease, from emud where it answers, else rootless.
  [[nodiscard]] bool has_private_leases() const;
  // Whether this caller can have a host lease: emud answers, and he is root or in the group.
  [[nodiscard]] bool has_host_leases() const;
  // The group emud's number, if there is one.
  [[nodiscard]] std::optional<gid_t> group() const;

  // The entries of the host's binfmt_misc, by name.
  [[nodiscard]] std::vector<Entry> handlers() const;
};

// This machine, as the caller sees it. Looks for emud at the endpoint, tries a private scope in a
// child, registers nothing.
[[nodiscard]] Machine this_machine(const Endpoint& endpoint, std::string own_version);

}  // namespace emud::ctl
