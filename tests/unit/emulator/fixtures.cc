#include "unit/emulator/fixtures.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace emud::test {

ScratchDirectory::ScratchDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "emud-test-XXXXXX").string();
  REQUIRE(::mkdtemp(path_.data()) != nullptr);
  REQUIRE(::chmod(path_.c_str(), 0755) == 0);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchDirectory::operator/(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

Paths paths_in(const std::string& directory) {
  return Paths{.state = directory + "/state",
               .runtime = directory + "/run",
               .socket = {},
               .system_store = {},
               .catalog = directory + "/catalog.json",
               .catalog_directory = directory + "/catalog.d"};
}

std::string TestStore::entry(const std::string& digest) const {
  return fmt::format("{}/{}", paths.store(), digest);
}

std::vector<std::string> TestStore::names() const {
  if (!std::filesystem::exists(paths.store())) return {};
  return value_of(list_directory(AT_FDCWD, paths.store()));
}

const Architecture& architecture(std::string_view name) {
  return *value_of(find_architecture(name));
}

const Architecture& aarch64() {
  return architecture("aarch64");
}

UniqueFd open_file(const std::string& path) {
  return value_of(open_at(AT_FDCWD, path, O_RDONLY));
}

std::string contents(const std::string& path) {
  return value_of(read_file(path, std::size_t{512} << 20));
}

void write_file(const std::string& path, std::string_view bytes, unsigned mode) {
  const UniqueFd file = value_of(open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  REQUIRE(write_all(file.get(), path, bytes));
}

Digest digest_of(const std::string& path) {
  return value_of(Digest::of_file(open_file(path).get(), path));
}

std::string machine_emulator() {
  for (const char* path : {"/usr/bin/qemu-aarch64-static", "/usr/bin/qemu-aarch64"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  FAIL("the test needs qemu-user-static (on newer systems: qemu-user)");
  return {};
}

std::string compile(const ScratchDirectory& directory, std::string_view name, std::string_view body,
                    std::string_view flags) {
  std::string program = directory / name;
  write_file(program + ".c", fmt::format("#include <fcntl.h>\n#include <signal.h>\n"
                                         "#include <stdio.h>\n#include <stdlib.h>\n"
                                         "#include <string.h>\n#include <unistd.h>\n"
                                         "#include <sys/prctl.h>\n#include <sys/stat.h>\n"
                                         "int main(int argc, char** argv) {{\n{}\n}}\n",
                                         body));
  shell(fmt::format("cc -w -O1 {1} -o '{0}' '{0}.c'", program, flags));
  return program;
}

std::string fake_emulator(std::string_view version, std::string_view probe) {
  return fmt::format(
      "if (argc == 2 && !strcmp(argv[1], \"--version\")) {{\n"
      "  puts(\"qemu-aarch64 version {} (made for a test)\");\n"
      "  return 0;\n"
      "}}\n"
      "fputs(\"{}\", stdout);\n"
      "return 0;",
      version, probe);
}

void shell(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

int in_child(const std::function<int()>& function) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(function());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace emud::test
