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
  std::vector<UniqueFd> fds;  // what call.working_directory and call.descriptors count
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
};

// The request of this process: copies of every descriptor that is not close-on-exec (those of ours
// all are; `excluded` stays behind), the working directory, the umask, the environment. Without
// architectures in the intent: the one of the command where that is an ELF file of another CPU,
// else none (all installed ones). limit_exceeded for more than max_passed_descriptors, an error
// naming the working directory if it cannot be opened.
[[nodiscard]] Result<RunRequest> make_run_request(const RunIntent& intent,
                                                  std::span<const int> excluded = {});

// Whether a command is one of Nix's by the name of its program: nix, nix-*, nixos-rebuild,
// nixos-generate, nixos-install, nixos-generators.
[[nodiscard]] bool is_nix_command(std::string_view program);

// The architecture of the program that `program` names (looked up in PATH as execvp(3) does), where
// it is an ELF file for another CPU than this machine's; empty for all else, also for what cannot
// be read.
[[nodiscard]] std::string foreign_architecture_of(const std::string& program);

}  // namespace emud::ctl
