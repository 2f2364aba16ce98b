// One binfmt_misc entry: what is written to `register`, and what its entry file says. Pure: no
// system call. Source: Documentation/admin-guide/binfmt-misc.rst and fs/binfmt_misc.c of Linux.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "arch/architecture.h"
#include "base/result.h"

namespace emud {

struct Rule {
  std::string name;         // "emud-aarch64"
  unsigned offset = 0;      // where in the program the magic is compared
  std::string magic;        // raw bytes
  std::string mask;         // raw bytes, the magic's length
  std::string interpreter;  // absolute path, at most 127 bytes
  std::string flags;        // "PF"; "PFC" only where credentials were allowed (invariant 7)

  friend bool operator==(const Rule&, const Rule&) = default;
};

// emud's entry for an architecture: named emud-<arch>, flags PF, with C added when credentials is
// true.
[[nodiscard]] Rule make_rule(const Architecture& architecture, std::string_view interpreter,
                             bool credentials = false);

// The registration string `:name:M:offset:magic:mask:interpreter:flags`, magic and mask as \xHH,
// with a delimiter that does not occur in name or interpreter. invalid_argument for what the kernel
// would refuse or could not print back: a name that is empty, longer than 255 bytes, ".", "..",
// "register", "status" or has a slash; an interpreter that is not absolute or longer than 127
// bytes; control characters in either; no magic, or offset and magic beyond the first 128 bytes of
// a program (BINPRM_BUF_SIZE, 256 since Linux 5.1); a mask of another length; an unknown flag; a
// whole longer than 1920 bytes.
[[nodiscard]] Result<std::string> registration_string(const Rule& rule);

// An entry file as the kernel prints it. Lines it does not know are kept in `other`, by their first
// word, so that newer kernels (flags T, L, D; type B entries) can be shown.
struct Entry {
  std::string name;
  bool enabled = false;
  std::string interpreter;
  std::string flags;               // letters after "flags: "
  std::optional<unsigned> offset;  // magic entries
  std::string magic;               // raw bytes; empty for extension entries
  std::string mask;                // raw bytes; empty: compare all
  std::string extension;           // ".exe" style entries, without the dot
  std::map<std::string, std::string> other;
};

// Never fails on an odd line, and of two lines alike the first counts; protocol only for text that
// is no entry at all (no "enabled" or "disabled" line) or has broken hex.
[[nodiscard]] Result<Entry> parse_entry(std::string_view name, std::string_view text);

// Whether an entry is the very one the rule made: same interpreter, flags (as a set; C implies O),
// offset, magic and effective mask. emud removes an entry only if so (invariant 2). A disabled
// entry is still the same.
[[nodiscard]] bool is_same(const Entry& entry, const Rule& rule);

// The architecture an entry serves: the one whose programs it matches, whatever bytes its mask
// leaves out; nullptr for none, or where it would match programs of several machines. An entry that
// does not look at the MIPS ABI counts as o32's.
[[nodiscard]] const Architecture* architecture_of(const Entry& entry);

}  // namespace emud
