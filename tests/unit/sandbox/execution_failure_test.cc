#include "sandbox/execution_failure.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/file.h"
#include "sandbox/command.h"
#include "support/catch.h"
#include "support/folder.h"

using namespace emud;
using emud::test::Folder;

namespace {

// What the kernel itself says to that file.
Error failure_of(const std::string& path) {
  Error error = execute({path}, {});
  CHECK(error.object.find(path) != std::string::npos);
  CHECK_FALSE(error.hint.empty());
  return error;
}

std::string hint_of(const std::string& path) {
  const Error error = failure_of(path);
  CHECK(error.code == Errc::command_not_executable);
  return error.hint;
}

bool contains(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("a command that is not there is not found") {
  const Folder folder;
  CHECK(failure_of(folder.at("missing")).code == Errc::command_not_found);
  REQUIRE(::symlink("missing", folder.at("link").c_str()) == 0);
  CHECK(failure_of(folder.at("link")).code == Errc::command_not_found);
}

TEST_CASE("a path that cannot be followed is no missing command") {
  const Folder folder;
  const std::string file = folder.write("file", "");
  CHECK(contains(hint_of(file + "/below"), "is no directory"));
  REQUIRE(::symlink("loop", folder.at("loop").c_str()) == 0);
  CHECK(contains(hint_of(folder.at("loop")), "circle"));
}

TEST_CASE("a script whose interpreter cannot be had is told by its first line") {
  const Folder folder;
  const std::string missing = folder.write("missing", "#!/no/such/interpreter\n");
  CHECK(contains(hint_of(missing), "/no/such/interpreter is not"));
  const std::string windows = folder.write("windows", "#!/bin/sh\r\necho\r\n");
  CHECK(contains(hint_of(windows), "carriage return"));
  CHECK_FALSE(contains(hint_of(windows), "\r"));
  CHECK(contains(hint_of(folder.write("directory", "#!/tmp\n")), "/tmp"));
  const std::string plain = folder.write("plain", "", 0644);
  CHECK(contains(hint_of(folder.write("script", "#!" + plain + "\n")), "chmod +x " + plain));
  CHECK(contains(hint_of(folder.write("itself", "#!" + folder.at("itself"))), "circle"));
  CHECK(
      contains(hint_of(folder.write("long", "#!/" + std::string(300, 'a') + "\n")), "first line"));
  CHECK(contains(hint_of(folder.write("nothing", "#!")), "first line"));
}

TEST_CASE("what may not be executed says what it is") {
  const Folder folder;
  const std::string plain = folder.write("plain", "#!/bin/sh\n", 0644);
  CHECK(contains(hint_of(plain), "chmod +x " + plain));
  REQUIRE(::mkfifo(folder.at("fifo").c_str(), 0755) == 0);
  CHECK(contains(hint_of(folder.at("fifo")), "no regular file"));
  REQUIRE(::mkdir(folder.at("folder").c_str(), 0755) == 0);
  const Error directory = failure_of(folder.at("folder"));
  CHECK(directory.errno_value == EISDIR);
  CHECK(directory.code == Errc::command_not_executable);
}

TEST_CASE("a program that is being written, and too many arguments") {
  const Folder folder;
  const std::string busy = folder.write("busy", "#!/bin/sh\n");
  const UniqueFd writer = open_at(AT_FDCWD, busy, O_WRONLY).value();
  CHECK(contains(hint_of(busy), "open for writing"));
  const Error error = execution_failure("/bin/true", E2BIG);
  CHECK(error.code == Errc::command_not_executable);
  CHECK(contains(error.hint, "fewer or shorter arguments"));
}
