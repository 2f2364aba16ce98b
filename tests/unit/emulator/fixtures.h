// What the tests of the store need: a store of their own, emulators good and bad, child processes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "base/paths.h"
#include "base/unique_fd.h"
#include "emulator/digest.h"
#include "emulator/store.h"
#include "support/catch.h"

namespace emud::test {

// A new directory for temporary files, removed with all in it. Anybody may enter it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const;

 private:
  std::string path_;
};

// Paths in a directory: state, run and bin (for the machine's emulators).
[[nodiscard]] Paths paths_in(const std::string& directory);

struct TestStore {
  ScratchDirectory directory;
  Paths paths = paths_in(directory.path());
  Store store{paths, directory / "bin"};

  [[nodiscard]] std::string entry(const std::string& digest) const;
  // The names in the store, temporaries included.
  [[nodiscard]] std::vector<std::string> names() const;
};

[[nodiscard]] const Architecture& architecture(std::string_view name);
[[nodiscard]] const Architecture& aarch64();

[[nodiscard]] UniqueFd open_file(const std::string& path);
[[nodiscard]] std::string contents(const std::string& path);
void write_file(const std::string& path, std::string_view bytes, unsigned mode = 0644);
[[nodiscard]] Digest digest_of(const std::string& path);

// The machine's static emulator for aarch64. The test fails if there is none.
[[nodiscard]] std::string machine_emulator();

// A program made by the C compiler from the body of main(int argc, char** argv).
[[nodiscard]] std::string compile(const ScratchDirectory& directory, std::string_view name,
                                  std::string_view body, std::string_view flags = "-static");

// The body of a program that behaves as QEMU's emulator for aarch64 of this version does towards
// the store, and prints `probe` instead of running the probe image.
[[nodiscard]] std::string fake_emulator(std::string_view version,
                                        std::string_view probe = "emud probe\\n");

// Runs a command of the shell, which must succeed.
void shell(const std::string& command);

// Runs the function in a child process and returns its result, which is the exit status; 128 + N if
// signal N ended it.
[[nodiscard]] int in_child(const std::function<int()>& function);

// The value of a good result; the test fails with the error of another.
template <class T>
[[nodiscard]] T value_of(Result<T> result) {
  INFO((result ? std::string{} : result.error().message()));
  REQUIRE(result);
  return *std::move(result);
}

[[nodiscard]] bool contains(std::string_view text, std::string_view part);

}  // namespace emud::test
