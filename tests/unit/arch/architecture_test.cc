#include "arch/architecture.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "support/catch.h"

using emud::Architecture;
using emud::architectures;
using emud::find_architecture;

namespace {

std::string name_of(std::string_view word) {
  const auto found = find_architecture(word);
  return found ? std::string{(*found)->name} : "none";
}

void check_names(const std::map<std::string, std::string>& expected) {
  for (const auto& [word, name] : expected) {
    INFO(word);
    CHECK(name_of(word) == name);
  }
}

std::vector<std::string_view> words_of(const Architecture& architecture) {
  std::vector<std::string_view> words{architecture.aliases.begin(), architecture.aliases.end()};
  words.push_back(architecture.name);
  return words;
}

}  // namespace

TEST_CASE("the table has QEMU's user-mode targets, ordered by name") {
  REQUIRE(architectures().size() == 35);
  CHECK(std::ranges::is_sorted(architectures(), {}, &Architecture::name));
  for (const Architecture& architecture : architectures()) {
    INFO(architecture.name);
    CHECK(architecture.magic.size() == architecture.mask.size());
    CHECK((architecture.magic.size() == 20 || architecture.magic.size() == 40));
    CHECK(
        architecture.magic.starts_with("\x7f"
                                       "ELF"));
    CHECK(architecture.machine != 0);
  }
}

TEST_CASE("no name or alias is ambiguous") {
  std::map<std::string, std::string> owners;
  for (const Architecture& architecture : architectures()) {
    for (const std::string_view word : words_of(architecture)) {
      INFO(word);
      CHECK(owners.emplace(word, architecture.name).second);
      CHECK(std::ranges::none_of(word, [](unsigned char c) { return std::isupper(c) != 0; }));
    }
  }
  std::set<std::string_view> systems;
  for (const Architecture& architecture : architectures()) {
    if (architecture.nix_system.empty()) continue;
    INFO(architecture.nix_system);
    CHECK(systems.insert(architecture.nix_system).second);
    CHECK_FALSE(owners.contains(std::string{architecture.nix_system}));
  }
}

TEST_CASE("every name, alias and Nix system finds its architecture") {
  for (const Architecture& architecture : architectures()) {
    for (const std::string_view word : words_of(architecture))
      CHECK(name_of(word) == architecture.name);
    if (!architecture.nix_system.empty())
      CHECK(name_of(architecture.nix_system) == architecture.name);
  }
}

TEST_CASE("names of Debian, Docker, Nix, GNU and uname are known, in any case") {
  const std::map<std::string, std::string> expected{
      {"arm64", "aarch64"},
      {"armhf", "arm"},
      {"armel", "arm"},
      {"amd64", "x86_64"},
      {"ppc64el", "ppc64le"},
      {"powerpc", "ppc"},
      {"loong64", "loongarch64"},
      {"mips64el", "mips64el"},
      {"linux/arm64", "aarch64"},
      {"linux/arm64/v8", "aarch64"},
      {"linux/arm/v7", "arm"},
      {"linux/arm/v6", "arm"},
      {"arm32v7", "arm"},
      {"arm64v8", "aarch64"},
      {"linux/amd64", "x86_64"},
      {"linux/386", "i386"},
      {"linux/ppc64le", "ppc64le"},
      {"linux/riscv64", "riscv64"},
      {"linux/s390x", "s390x"},
      {"linux/mips64le", "mips64el"},
      {"linux/loong64", "loongarch64"},
      {"aarch64-linux", "aarch64"},
      {"armv7l-linux", "arm"},
      {"armv6l-linux", "arm"},
      {"riscv64-linux", "riscv64"},
      {"powerpc64le-linux", "ppc64le"},
      {"i686-linux", "i386"},
      {"armv7l", "arm"},
      {"i686", "i386"},
      {"x86_64", "x86_64"},
      {"ppc64le", "ppc64le"},
      {"parisc64", "hppa"},
      {"aarch64-linux-gnu", "aarch64"},
      {"AArch64", "aarch64"},
      {"Linux/ARM64", "aarch64"},
  };
  check_names(expected);
}

TEST_CASE("a platform's and a triplet's name tell the CPU") {
  const std::map<std::string, std::string> expected{
      {"386", "i386"},
      {"arm/v7", "arm"},
      {"arm64/v8", "aarch64"},
      {"linux/amd64/v3", "x86_64"},
      {"linux/arm64/v9", "aarch64"},
      {"linux/armhf", "arm"},
      {"linux/arm/v8.1", "arm"},
      {"linux/arm/7", "none"},
      {"linux/arm/v", "none"},
      {"linux/linux/arm", "none"},
      {"windows/amd64", "none"},
      {"riscv64-alpine-linux-musl", "riscv64"},
      {"riscv64gc-unknown-linux-gnu", "riscv64"},
      {"armv7-unknown-linux-musleabihf", "arm"},
      {"arm-unknown-linux-gnueabi", "arm"},
      {"aarch64-redhat-linux", "aarch64"},
      {"aarch64-linux-android", "aarch64"},
      {"x86_64-pc-linux-gnu", "x86_64"},
      {"i586-linux-gnu", "i386"},
      {"powerpc64le-suse-linux", "ppc64le"},
      {"ppc64le-linux", "ppc64le"},
      {"mips64el-unknown-linux-muslabi64", "mips64el"},
      {"mips64el-linux-gnuabin32", "mipsn32el"},
      {"mips64-unknown-linux-gnuabin32", "mipsn32"},
      {"mipsisa64r6el-linux-gnuabi64", "mips64el"},
      {"mipsisa64r6el-linux-gnuabin32", "mipsn32el"},
      {"x86_64-linux-gnux32", "none"},
      {"aarch64-linux-gnu_ilp32", "none"},
      {"aarch64-linux-moon", "none"},
      {"aarch64-apple-darwin", "none"},
      {"arm-uclinux-uclibceabi", "none"},
      {"-linux-gnu", "none"},
      {"linux", "none"},
      {"linux-gnu", "none"},
      {"a-b-c-linux-gnu", "none"},
      {"arm-linux-gnueabi-x", "none"},
  };
  check_names(expected);
}

TEST_CASE("an unknown name fails and suggests the nearest") {
  const auto arm65 = find_architecture("arm65");
  REQUIRE_FALSE(arm65);
  CHECK(arm65.error().code == emud::Errc::unknown_architecture);
  CHECK(arm65.error().object == "arm65");
  CHECK(arm65.error().hint ==
        "Did you mean arm64 or armv5? `emuctl run --help` lists all architectures");
  CHECK(find_architecture("riscv").error().hint.starts_with("Did you mean riscv32 or riscv64? "));
  CHECK(find_architecture("arm6").error().hint.starts_with("Did you mean arm64"));
  CHECK(find_architecture("power").error().hint.starts_with("Did you mean powerpc, powerpc64 or "));
  CHECK(find_architecture("linux/ar")
            .error()
            .hint.starts_with("Did you mean linux/arm or linux/arm64? "));
  CHECK(find_architecture("aarch4").error().hint.starts_with("Did you mean aarch64? "));
  CHECK(find_architecture("aarch46").error().hint.starts_with("Did you mean aarch64"));
  CHECK(find_architecture("riscv46").error().hint.starts_with("Did you mean riscv64"));
}

TEST_CASE("a word that is near to nothing gets no suggestion") {
  for (const std::string& word : {std::string{}, std::string{"quantum!"}, std::string(5000, 'a')}) {
    const auto found = find_architecture(word);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == emud::Errc::unknown_architecture);
    CHECK(found.error().hint == "`emuctl run --help` lists all architectures");
    CHECK(found.error().object.size() <= 64);
  }
}

TEST_CASE("the host is what uname says") {
  utsname names{};
  REQUIRE(::uname(&names) == 0);
  const Architecture& host = emud::host_architecture();
  if (const auto found = find_architecture(names.machine)) {
    CHECK((*found)->machine == host.machine);
  } else {
    CHECK(host.name == names.machine);
    CHECK(host.magic.empty());
  }
}

TEST_CASE("a CPU's native candidates begin with itself and are of its byte order") {
  for (const Architecture& host : architectures()) {
    const auto candidates = emud::native_candidates(host);
    REQUIRE_FALSE(candidates.empty());
    CHECK(candidates.front() == host.name);
    for (const std::string_view name : candidates) {
      const auto found = find_architecture(name);
      REQUIRE(found);
      CHECK((*found)->is_big_endian == host.is_big_endian);
    }
  }
  const auto of = [](std::string_view name) {
    const auto names = emud::native_candidates(**find_architecture(name));
    return std::vector<std::string>{names.begin(), names.end()};
  };
  CHECK(of("x86_64") == std::vector<std::string>{"x86_64", "i386"});
  CHECK(of("aarch64") == std::vector<std::string>{"aarch64", "arm"});
  CHECK(of("ppc64le") == std::vector<std::string>{"ppc64le"});
}
