#include "sandbox/nix.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "sandbox/proofs.h"
#include "support/catch.h"

namespace emud {
namespace {

bool has(const std::vector<std::string>& environment, const std::string& variable) {
  return std::ranges::find(environment, variable) != environment.end();
}

TEST_CASE("an architecture's Nix systems include the older ones it runs") {
  const auto names = nix_system_names(**find_architecture("arm"));
  REQUIRE_FALSE(names.empty());
  CHECK(names.front() == "armv7l-linux");
  CHECK(std::ranges::find(names, "armv6l-linux") != names.end());
  CHECK(nix_system_names(**find_architecture("aarch64")) ==
        std::vector<std::string>{"aarch64-linux"});
  CHECK(nix_systems({*find_architecture("aarch64"), *find_architecture("riscv64")}) ==
        "aarch64-linux riscv64-linux");
}

TEST_CASE("in the caller's own store Nix builds without a daemon, and keeps what NIX_CONFIG said") {
  const std::string remote = GENERATE("", "auto", "local", "daemon", "daemon?max-connections=2",
                                      "unix:///nix/var/nix/daemon-socket/socket");
  std::vector<std::string> environment{"A=1", "NIX_CONFIG=cores = 1", "NIX_REMOTE=" + remote};
  if (remote.empty()) environment.pop_back();
  CAPTURE(remote);
  CHECK(uses_machine_store(environment));
  set_nix_environment(environment, NixSetup::caller_store, "aarch64-linux", "");
  CHECK(environment ==
        std::vector<std::string>{"A=1", "NIX_REMOTE=local",
                                 "NIX_CONFIG=cores = 1\nextra-extra-platforms = aarch64-linux\n"});
}

TEST_CASE("a store that is not the machine's stays") {
  const std::string remote =
      GENERATE("ssh-ng://builder", "https://cache", "/home/u/nix", "local?root=/home/u/nix");
  for (const NixSetup setup : {NixSetup::caller_store, NixSetup::own_store}) {
    std::vector<std::string> environment{"NIX_REMOTE=" + remote};
    CHECK_FALSE(uses_machine_store(environment));
    set_nix_environment(environment, setup, "aarch64-linux", "/home/u/other");
    CHECK(has(environment, "NIX_REMOTE=" + remote));
    CHECK(environment.size() == 2);
  }
}

TEST_CASE("in the host scope NIX_REMOTE stays, whatever it names") {
  std::vector<std::string> environment{"NIX_REMOTE=daemon"};
  set_nix_environment(environment, NixSetup::named_store, "aarch64-linux", "");
  CHECK(has(environment, "NIX_REMOTE=daemon"));
}

TEST_CASE("a store below the user's directory replaces NIX_REMOTE") {
  std::vector<std::string> environment{"NIX_REMOTE=daemon"};
  set_nix_environment(environment, NixSetup::own_store, "aarch64-linux", "/home/u/nix");
  CHECK(has(environment, "NIX_REMOTE=/home/u/nix"));
  const auto config = std::ranges::find_if(
      environment, [](const auto& entry) { return entry.starts_with("NIX_CONFIG="); });
  REQUIRE(config != environment.end());
  CHECK(config->find("build-users-group =\n") != std::string::npos);
}

TEST_CASE("the nix.conf of a lease serves its owner and nobody else") {
  char name[] = "/tmp/emud-unit-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  NixDaemonPlan plan{.directory = directory,
                     .temporary = directory + "/tmp",
                     .builds = {},
                     .systems = "aarch64-linux",
                     .owner = ""};
  for (const char* owner : {"", "*", "al*", "@wheel", "alice bob", "alice\nsandbox = false",
                            "alice\tbob", "alice#", "#"}) {
    plan.owner = owner;
    CAPTURE(plan.owner);
    const auto refused = prepare_nix_daemon(plan);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::not_supported);
    CHECK_FALSE(refused.error().message().contains('\n'));
    CHECK_FALSE(refused.error().hint.empty());
    CHECK(list_directory(AT_FDCWD, directory)->empty());
  }
  for (const char* owner : {"alice", "alice@example.com", "EXAMPLE\\alice", "64001"}) {
    plan.owner = owner;
    REQUIRE(prepare_nix_daemon(plan));
    const auto text = read_file(directory + "/nix.conf");
    REQUIRE(text);
    CHECK(text->ends_with("\nallowed-users = " + plan.owner + "\n"));
    const auto names = list_directory(AT_FDCWD, directory);
    REQUIRE(names);
    for (const auto& made : *names) REQUIRE(remove_tree(AT_FDCWD, directory + "/" + made));
  }
  REQUIRE(remove_tree(AT_FDCWD, directory));
}

TEST_CASE("a proof holds for exactly one emulator, architecture and scope") {
  char name[] = "/tmp/emud-unit-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  const Proofs proofs{directory + "/proofs"};
  CHECK_FALSE(proofs.has("aarch64", "aa", "private"));
  proofs.remember("aarch64", "aa", "private");
  CHECK(proofs.has("aarch64", "aa", "private"));
  CHECK_FALSE(proofs.has("arm", "aa", "private"));
  CHECK_FALSE(proofs.has("aarch64", "bb", "private"));
  CHECK_FALSE(proofs.has("aarch64", "aa", "host"));
  proofs.forget_all();
  CHECK_FALSE(proofs.has("aarch64", "aa", "private"));
  REQUIRE(remove_tree(AT_FDCWD, directory));
}

}  // namespace
}  // namespace emud
