// One command as it is asked of the engine, with everything the caller's process gives it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "wire/messages.h"

namespace emud::ctl {

struct RunRequest {
  wire::RunCall call;
  std::vector<UniqueFd> fds;   // what call.working_directory and call.descriptors count
  std::string missing_linker;  // of the command, where it is a foreign program: see ForeignProgram
};

inline constexpr std::size_t max_passed_descriptors = 250;

// What the options of `run` say about the request.
struct RunIntent {
  std::vector<std::string> architectures;  // canonical names
  std::string scope = "auto";
  std::string emulator;              // version; empty: the newest
  std::vector<std::string> command;  // empty: bring up and probe only
  std::optional<bool> nix;           // none: by the command's name
  bool fresh = false;
  bool no_fetch = false;
  wire::Limits limits;
};

// The request of this process: copies of every descriptor that is not close-on-exec (those of ours
// all are; `excluded` stays behind), the working directory, the umask, the environment. Without
// architectures in the intent: the one of the command where that is a program of another CPU, else
// none (all installed ones). limit_exceeded for more than max_passed_descriptors, an error naming
// the working directory if it cannot be opened, foreign_program()'s.
[[nodiscard]] Result<RunRequest> make_run_request(const RunIntent& intent,
                                                  std::span<const int> excluded = {});

// Whether a command is one of Nix's by the name of its program: nix, nix-*, nixos-rebuild,
// nixos-generate, nixos-install, nixos-generators.
[[nodiscard]] bool is_nix_command(std::string_view program);

// What is known of a command that is a program for another CPU than this machine's.
struct ForeignProgram {
  std::string architecture;    // canonical name; empty: it is none, or cannot be read
  std::string missing_linker;  // the dynamic linker it asks for, where that is not on this machine
};

// The program that `name` stands for, looked up in PATH as execvp(3) does and followed through its
// #! lines. command_not_executable for one that is foreign by its first bytes, but no whole ELF
// executable: the kernel would hand it to the emulator, which ends without a word.
[[nodiscard]] Result<ForeignProgram> foreign_program(const std::string& name);

}  // namespace emud::ctl
