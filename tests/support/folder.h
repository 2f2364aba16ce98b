// A directory for the files of a test.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "support/catch.h"

namespace emud::test {

// It ends with the test, with all in it.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "emud-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(std::string_view name) const {
    return path_ + "/" + std::string{name};
  }

  // Makes a file, or replaces its content. Returns its path.
  [[nodiscard]] std::string write(std::string_view name, std::string_view bytes,
                                  mode_t mode = 0755) const {
    const std::string path = at(name);
    const UniqueFd file = open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode).value();
    REQUIRE(write_all(file.get(), path, bytes));
    return path;
  }

 private:
  std::string path_;
};

}  // namespace emud::test
