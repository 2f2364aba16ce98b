// A machine for doctor: a directory in the place of /, with nothing wrong on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/doctor/report.h"

namespace emud::ctl::test {

class FakeMachine {
 public:
  // Debian 13 with emud, one static emulator, a user who is nobody special.
  FakeMachine();
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;
  ~FakeMachine();

  // Writes a file of the machine, with the directories above it.
  void write(const std::string& path, std::string_view text) const;
  void remove(const std::string& path) const;

  // A handler in binfmt_misc, with aarch64's magic.
  void add_handler(const std::string& name, std::string_view flags) const;
  // An executable's header: with or without a dynamic linker.
  void add_program(const std::string& path, bool is_dynamic) const;

  // Without emud: it answers with that errno. Without private leases: neither from it nor rootless.
  void end_daemon(int reason);
  void forbid_private_leases();

  // "level id" of all that is found.
  [[nodiscard]] std::vector<std::string> found() const;
  // All that is told to who asks for more.
  [[nodiscard]] std::string said() const;
  // The finding of that id; the test fails if there is none.
  [[nodiscard]] Finding finding(std::string_view id) const;

  Machine machine;
};

}  // namespace emud::ctl::test
