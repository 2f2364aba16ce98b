// What is composed from an emulator is the same program.
#include "emulator/interpreter.h"

#include <elf.h>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::value_of;

// Uses what a C library sets up at its start: relocated data, constructors, thread-local data,
// threads and how they end, functions chosen by the CPU, its own headers.
constexpr const char* program_body = R"(
  static const char* words[] = {"one", "two", "three"};
  static __thread int own = 7;
  void* thread(void* word) {
    own++;
    printf("%s %d\n", (char*)word, own);
    fflush(stdout);
    pthread_exit((void*)words[1]);
  }
  void __attribute__((constructor)) begin(void) { puts("begin"); }
  void __attribute__((destructor)) end(void) { puts("end"); }
  int main(int argc, char** argv) {
    pthread_t other;
    void* result;
    if (pthread_create(&other, 0, thread, (void*)words[0]) || pthread_join(other, &result)) return 1;
    char copy[64];
    memcpy(copy, words[2], strlen(words[2]) + 1);
    printf("%s %s %d %s %d\n", (char*)result, copy, own, argv[1], argc);
    void* memory = malloc(1 << 24);
    if (!memory || !memset(memory, 1, 1 << 24)) return 2;
    return 42;
  }
)";

std::string compile_program(const test::ScratchDirectory& directory, std::string_view flags) {
  const std::string program = directory / "program";
  test::write_file(program + ".c", fmt::format("#include <pthread.h>\n#include <stdio.h>\n"
                                               "#include <stdlib.h>\n#include <string.h>\n{}",
                                               program_body));
  test::shell(fmt::format("cc -w -O1 -pthread {1} -o '{0}' '{0}.c'", program, flags));
  return program;
}

// The bytes as a program that can be executed.
std::string write_program(const test::ScratchDirectory& directory, std::string_view name,
                          const std::string& bytes) {
  const std::string path = directory / name;
  test::write_file(path, bytes, 0755);
  return path;
}

std::string output_of(const test::ScratchDirectory& directory, const std::string& program,
                      std::string_view argument) {
  const std::string output = directory / "output";
  test::shell(
      fmt::format("'{}' {} > '{}' 2>&1; echo $? >> '{}'", program, argument, output, output));
  return test::contents(output);
}

constexpr std::size_t first_page = 4096;

Elf64_Ehdr header_of(const std::string& bytes) {
  Elf64_Ehdr header{};
  REQUIRE(bytes.size() >= sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

// What the dynamic section of a program says, which begins there in the file.
std::map<std::int64_t, std::uint64_t> dynamic_of(const std::string& bytes, std::size_t begin = 0) {
  const auto read = [&](std::size_t at, auto& value) {
    REQUIRE(begin + at + sizeof value <= bytes.size());
    std::memcpy(&value, bytes.data() + begin + at, sizeof value);
  };
  std::map<std::int64_t, std::uint64_t> entries;
  Elf64_Ehdr header{};
  read(0, header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    read(header.e_phoff + i * sizeof segment, segment);
    if (segment.p_type != PT_DYNAMIC) continue;
    Elf64_Dyn entry{};
    for (std::size_t at = segment.p_offset; read(at, entry), entry.d_tag != DT_NULL;
         at += sizeof entry) {
      entries[entry.d_tag] = entry.d_un.d_val;
    }
  }
  return entries;
}

// A static PIE, and what is composed from it.
struct ComposedProgram {
  test::ScratchDirectory directory;
  std::string program = compile_program(directory, "-static-pie");
  std::string original = test::contents(program);
  std::optional<std::string> composed = compose_interpreter(original);
  std::string path = write_program(directory, "composed", composed.value_or(""));
};

TEST_CASE("a composed program does the same, with no relative relocation left") {
  const ComposedProgram with;
  const auto& [directory, program, original, composed, path] = with;
  REQUIRE(composed);

  const std::string said = output_of(directory, path, "word");
  CHECK(said == "begin\none 8\ntwo three 7 word 2\nend\n42\n");
  CHECK(said == output_of(directory, program, "word"));

  CHECK(header_of(original).e_type == ET_DYN);
  CHECK(header_of(*composed).e_type == ET_EXEC);
  auto before = dynamic_of(original);
  auto after = dynamic_of(*composed, first_page);
  REQUIRE(before[DT_RELACOUNT] > 100);
  CHECK(after[DT_RELACOUNT] == 0);
  CHECK(before[DT_RELASZ] - after[DT_RELASZ] == before[DT_RELACOUNT] * sizeof(Elf64_Rela));
  CHECK(after[DT_RELA] - before[DT_RELA] == before[DT_RELASZ] - after[DT_RELASZ]);
  CHECK(before.size() == after.size());

  CHECK(composed == compose_interpreter(original));
  CHECK_FALSE(compose_interpreter(*composed));
}

// By the file alone: where its functions are, what its build is called, how to unwind.
TEST_CASE("debuggers find in a composed program what they find in the emulator") {
  const ComposedProgram with;
  const auto& [directory, program, original, composed, path] = with;
  REQUIRE(composed);
  const auto told = [&](const std::string& file, const char* options) {
    const std::string output = directory / "told";
    test::shell(fmt::format("readelf -W {} '{}' > '{}' 2>&1", options, file, output));
    return test::contents(output);
  };
  CHECK(test::contains(told(path, "-n"), "Build ID: "));
  CHECK(told(path, "-n") == told(program, "-n"));
  for (const char* section : {".eh_frame_hdr ", ".text ", ".rodata "}) {
    CHECK(test::contains(told(path, "-S"), section));
    CHECK(test::contains(told(path, "-l"), section));
  }
  CHECK_FALSE(test::contains(told(path, "-l -S"), "Warning"));
}

TEST_CASE("the machine's emulator can be composed") {
  const test::ScratchDirectory directory;
  const std::string emulator = test::machine_emulator();
  const auto composed = compose_interpreter(test::contents(emulator));
  REQUIRE(composed);
  const std::string path = write_program(directory, "composed", *composed);
  for (const char* argument : {"--version", "--help", "-L", "/no/such/program"})
    CHECK(output_of(directory, path, argument) == output_of(directory, emulator, argument));
}

TEST_CASE("nothing is composed from other files") {
  const test::ScratchDirectory directory;
  CHECK_FALSE(compose_interpreter(""));
  CHECK_FALSE(
      compose_interpreter("\x7f"
                          "ELF"));
  CHECK_FALSE(compose_interpreter("#!/bin/sh\n"));
  for (const char* flags : {"-static", "-pie", "-shared -fPIC", "-c"})
    CHECK_FALSE(compose_interpreter(test::contents(compile_program(directory, flags))));

  std::string foreign = test::contents(compile_program(directory, "-static-pie"));
  REQUIRE(compose_interpreter(foreign));
  const Elf64_Half machine = EM_AARCH64;
  std::memcpy(foreign.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
  CHECK_FALSE(compose_interpreter(foreign));
}

// Under the sanitizers: nothing beyond the bytes is touched.
TEST_CASE("a program that is cut off or damaged is read with care") {
  const test::ScratchDirectory directory;
  const std::string program = test::contents(compile_program(directory, "-static-pie"));
  std::mt19937 random{20261126};
  const auto below = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>{0, end - 1}(random);
  };
  for (int i = 0; i < 100; ++i) {
    const auto composed = compose_interpreter(program.substr(0, below(program.size())));
    CHECK((!composed || composed->size() <= program.size() + first_page));
  }
  const std::size_t headers = sizeof(Elf64_Ehdr) + 12 * sizeof(Elf64_Phdr);
  const std::size_t table = dynamic_of(program)[DT_RELA];
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = program;
    for (int n = 0; n < 3; ++n) damaged[below(headers)] = static_cast<char>(below(256));
    damaged[table + below(1000)] = static_cast<char>(below(256));
    const auto composed = compose_interpreter(damaged);
    CHECK((!composed || composed->size() == program.size() + first_page));
  }
}

// Installs a static PIE that does this and then what a good emulator does.
Manifest install(const test::TestStore& test, std::string_view code) {
  const std::string program =
      test::compile(test.directory, "fake",
                    fmt::format("{}\n{}", code, test::fake_emulator("9.0.0")), "-static-pie");
  return value_of(test.store.install(test::open_file(program).get(), test::aarch64(), program));
}

TEST_CASE("the store has the composed interpreter beside the emulator") {
  const test::TestStore test;
  const Manifest manifest = install(test, "");
  const std::string path = test.entry(manifest.digest) + "/run/qemu-aarch64";
  REQUIRE_FALSE(manifest.interpreter.empty());
  CHECK(test::digest_of(path).hex() == manifest.interpreter);
  CHECK(test::digest_of(test.entry(manifest.digest) + "/qemu-aarch64").hex() == manifest.digest);
  const auto emulator = value_of(test.store.get(manifest.digest));
  CHECK(emulator.interpreter() == path);
  CHECK(emulator.directory() == test.entry(manifest.digest));
  CHECK(value_of(test.store.list()) == std::vector{manifest});
}

TEST_CASE("an interpreter that does not do what the emulator does is left out") {
  const test::TestStore test;
  const std::string when_composed =
      "extern char __ehdr_start; if ((unsigned long)&__ehdr_start == 0x560000000000) ";
  const auto otherwise = GENERATE(as<std::string>{}, "abort();", "return 1;", "return 0;",
                                  R"(return puts("qemu-aarch64 version 9.0.1") < 0;)");
  const Manifest manifest = install(test, when_composed + otherwise);
  CHECK(manifest.interpreter.empty());
  CHECK(value_of(test.store.get(manifest.digest)).interpreter() ==
        test.entry(manifest.digest) + "/qemu-aarch64");
  CHECK_FALSE(std::filesystem::exists(test.entry(manifest.digest) + "/run"));
}

TEST_CASE("an interpreter whose path would be too long is left out") {
  test::ScratchDirectory directory;
  Paths paths = test::paths_in(directory.path());
  paths.state = directory / "this-place-is-so-deep-that-no-more-fits";
  const Store store{paths};
  const std::string program =
      test::compile(directory, "fake", test::fake_emulator("9.0.0"), "-static-pie");
  const auto manifest =
      value_of(store.install(test::open_file(program).get(), test::aarch64(), program));
  CHECK(manifest.interpreter.empty());
  CHECK(value_of(store.get(manifest.digest)).interpreter() ==
        paths.store() + "/" + manifest.digest + "/qemu-aarch64");
}

}  // namespace
}  // namespace emud
