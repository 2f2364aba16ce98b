// Every path emud uses, in one place. Tests point root, state and runtime elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace emud {

// A file that belongs to the program: in $EMUD_DATA, else in ../share/emud beside the running
// program's bin, where the build and the installation both put it.
[[nodiscard]] std::string data_file(std::string_view name);

// $EMUD_CATALOG_DIR, else /etc/emud/catalog.d.
[[nodiscard]] std::string catalog_additions();

struct Paths {
  std::string state;                                // what survives a reboot: the store
  std::string runtime;                              // what does not: leases, proofs
  std::string socket;                               // where emud listens
  std::string system_store;                         // a second store to read from; empty for none
  std::string catalog = data_file("catalog.json");  // of the emulators that may be fetched
  std::string catalog_directory = catalog_additions();  // the administrator's additions

  // /var/lib/emud, /run/emud, /run/emud/io.emud.Manager.
  [[nodiscard]] static Paths system();

  // A user's own: $XDG_DATA_HOME/emud (else ~/.local/share/emud) and $XDG_RUNTIME_DIR/emud (else
  // $XDG_CACHE_HOME/emud/run or ~/.cache/emud/run), with the system's store to read from. not_found
  // without HOME. The variables are those of the XDG Base Directory Specification; relative values
  // are ignored, as it demands.
  [[nodiscard]] static Result<Paths> user();

  [[nodiscard]] std::string store() const { return state + "/store"; }
  [[nodiscard]] std::string quarantine() const { return state + "/quarantine"; }
  [[nodiscard]] std::string leases() const { return runtime + "/leases"; }
  [[nodiscard]] std::string lease(std::string_view id) const;
  [[nodiscard]] std::string proofs() const { return runtime + "/proofs"; }
  [[nodiscard]] std::string handlers() const { return runtime + "/handlers"; }
  [[nodiscard]] std::string persistent_pins() const { return state + "/pins"; }
  [[nodiscard]] std::string nix_store() const { return state + "/nix"; }  // rootless builds
};

inline constexpr std::string_view binfmt_misc_mount = "/proc/sys/fs/binfmt_misc";
inline constexpr std::string_view default_configuration = "/etc/emud/emud.toml";
inline constexpr std::string_view system_nix_conf = "/etc/nix/nix.conf";

// $EMUD_LIBEXEC, else the folder of helper programs: ../libexec/emud beside the running program's
// bin, where the build and the installation both put them.
[[nodiscard]] Result<std::string> helper_program(std::string_view name);

}  // namespace emud
