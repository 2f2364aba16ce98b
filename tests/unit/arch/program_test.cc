#include "arch/program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "arch/elf.h"
#include "arch/probe_image.h"
#include "base/file.h"
#include "support/catch.h"
#include "support/folder.h"

using namespace emud;
using emud::test::Folder;

namespace {

std::string image_of(std::string_view name) {
  const auto image = probe_image(**find_architecture(name));
  return {reinterpret_cast<const char*>(image.data()), image.size()};
}

// Another than this machine's.
std::string_view foreign() {
  return host_architecture().name == "s390x" ? "riscv64" : "s390x";
}

std::string reason_of(const std::string& path) {
  const auto program = look_at_program(path);
  REQUIRE(program);
  const Error error = explain_refusal(*program);
  CHECK(error.code == Errc::command_not_executable);
  CHECK(error.errno_value == ENOEXEC);
  CHECK_FALSE(error.hint.empty());
  CHECK(error.object.find(path) != std::string::npos);
  return error.reason;
}

}  // namespace

TEST_CASE("a program is known by its first bytes, through the interpreters of scripts") {
  const Folder folder;
  const std::string image = folder.write("image", image_of(foreign()));
  const std::string script = folder.write("script", "#! \t" + image + " -x\necho\n");
  const std::string outer = folder.write("outer", "#!" + script);
  for (const std::string& path : {image, script, outer}) {
    const auto program = look_at_program(path);
    REQUIRE(program);
    CHECK(program->name == path);
    CHECK(program->file == image);
    REQUIRE(program->architecture != nullptr);
    CHECK(program->architecture->name == foreign());
    CHECK_FALSE(program->defect);
    CHECK(program->interpreter.empty());
  }
  const std::string loop = folder.write("loop", "#!" + folder.path() + "/loop\n");
  CHECK(look_at_program(loop)->architecture == nullptr);
}

TEST_CASE("a program cut off anywhere is no whole program, and the message says so") {
  const Folder folder;
  for (const std::string_view shape : {"aarch64", "ppc64", "arm", "ppc"}) {
    const std::string whole = image_of(shape);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string path = folder.write("cut", whole.substr(0, size));
      INFO(shape << " " << size);
      const std::string reason = reason_of(path);
      if (size == 0) {
        CHECK(reason == "the file is empty");
      } else if (size >= 4) {
        CHECK(look_at_program(path)->defect);
      }
    }
    CHECK_FALSE(look_at_program(folder.write("whole", whole))->defect);
    CHECK_FALSE(look_at_program(folder.write("longer", whole + "more"))->defect);
  }
}

TEST_CASE("program headers at the end of a big file are read") {  // patchelf puts them there
  const Folder folder;
  std::string bytes = image_of("aarch64");
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string table = bytes.substr(header.e_phoff, sizeof(Elf64_Phdr));
  bytes.resize(1 << 20, 'x');
  header.e_phoff = bytes.size();
  std::memcpy(bytes.data(), &header, sizeof header);
  CHECK_FALSE(look_at_program(folder.write("moved", bytes + table))->defect);
  CHECK(look_at_program(folder.write("cut", bytes + table.substr(1)))->defect->reason ==
        "the file ends within its program headers");
  if (std::endian::native == std::endian::little) {
    const UniqueFd file = open_at(AT_FDCWD, folder.path() + "/moved", O_RDONLY).value();
    CHECK(read_elf_file(file.get(), "moved")->machine == EM_AARCH64);
  }
}

TEST_CASE("the reasons for ENOEXEC are told apart") {
  const Folder folder;
  CHECK(reason_of(folder.write("text", "echo\n")).starts_with("it is neither a program nor"));
  CHECK(reason_of(folder.write("short",
                               "\x7f"
                               "EL"))
            .starts_with("it is neither a program nor"));
  std::string image = image_of(foreign());
  CHECK(reason_of(folder.write("whole", image)) == "it is a program for " + std::string{foreign()} +
                                                       ", and there is no handler for " +
                                                       std::string{foreign()} + " here");
  image[18] = image[19] = '\xfe';
  CHECK(reason_of(folder.write("unknown", image)) ==
        "it is for a machine that emud has no emulator for");
}

TEST_CASE("what cannot be read is an error that names it, and nothing blocks") {
  const Folder folder;
  REQUIRE(::mkfifo((folder.path() + "/fifo").c_str(), 0600) == 0);
  for (const std::string& path : {folder.path() + "/fifo", folder.path(), folder.path() + "/none",
                                  std::string{"/dev/null"}}) {
    const auto program = look_at_program(path);
    REQUIRE_FALSE(program);
    CHECK(program.error().object == path);
  }
  const auto script = look_at_program(folder.write("script", "#!/no/such/interpreter\n"));
  REQUIRE_FALSE(script);
  CHECK(script.error().object == "/no/such/interpreter");
}
