#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "arch/probe_image.h"
#include "base/file.h"
#include "ctl/fake_peer.h"
#include "ctl/run_request.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

bool passes(const RunRequest& request, int number) {
  return std::ranges::any_of(request.call.descriptors,
                             [&](const auto& entry) { return entry.number == number; });
}

bool is_same_file(int one, int other) {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

RunIntent intent_of(std::vector<std::string> command) {
  RunIntent intent;
  intent.command = std::move(command);
  return intent;
}

TEST_CASE("run request: the caller's descriptors are passed, emuctl's are not") {
  int inherited[2];
  REQUIRE(::pipe(inherited) == 0);  // as a jobserver's: without close-on-exec
  const UniqueFd reading{inherited[0]};
  const UniqueFd writing{inherited[1]};
  const auto own = make_pipe().value();
  const int excluded[] = {writing.get()};
  const auto request = make_run_request(intent_of({"true"}), excluded);
  REQUIRE(request);
  CHECK(passes(*request, reading.get()));
  CHECK_FALSE(passes(*request, writing.get()));
  CHECK_FALSE(passes(*request, own.first.get()));
  CHECK(passes(*request, STDOUT_FILENO));
  for (const auto& [number, index] : request->call.descriptors) {
    const UniqueFd& copy = request->fds.at(static_cast<std::size_t>(index));
    CHECK(is_same_file(copy.get(), static_cast<int>(number)));
    CHECK((::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("run request: a closed stdin stays closed") {
  const int status = test::status_of_child([] {
    ::close(STDIN_FILENO);
    const auto request = make_run_request(intent_of({"true"}));
    return request && !passes(*request, STDIN_FILENO) ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("run request: too many descriptors are an error") {
  const int status = test::status_of_child([] {
    for (std::size_t count = 0; count <= max_passed_descriptors; ++count) {
      if (::dup(STDERR_FILENO) < 0) return 1;
    }
    const auto request = make_run_request(intent_of({"true"}));
    return !request && request.error().code == Errc::limit_exceeded ? 0 : 2;
  });
  CHECK(status == 0);
}

TEST_CASE("run request: working directory, umask, environment and arguments") {
  const int status = test::status_of_child([] {
    ::umask(027);
    ::setenv("EMUD_TEST", "line\nbreak \xff", 1);
    if (::chdir("/usr") != 0) return 1;
    const auto request = make_run_request(intent_of({"echo", "\xfe", ""}));
    if (!request) return 2;
    const wire::RunCall& call = request->call;
    const UniqueFd usr{::open("/usr", O_PATH | O_CLOEXEC)};
    const int directory = request->fds.at(static_cast<std::size_t>(call.working_directory)).get();
    if (!is_same_file(directory, usr.get())) return 3;
    if (call.umask != 027 || ::umask(0) != 027) return 4;
    if (std::ranges::count(call.environment, "EMUD_TEST=line\nbreak \xff") != 1) return 5;
    if (call.arguments != std::vector<std::string>{"echo", "\xfe", ""}) return 6;
    return call.scope == "auto" && !call.terminal && !call.fresh && !call.nix ? 0 : 7;
  });
  CHECK(status == 0);
}

TEST_CASE("run request: a working directory that cannot be entered is named") {
  const test::Directory directory;
  const int status = test::status_of_child([&] {
    if (::chdir(directory.path().c_str()) != 0 || ::chmod(".", 0) != 0) return 1;
    if (::geteuid() == 0) {
      if (::setuid(65534) != 0) return 2;
      ::prctl(PR_SET_DUMPABLE, 1);  // else /proc/self/fd is root's: proc(5)
    }
    const auto request = make_run_request(intent_of({"true"}));
    if (request) return 3;
    return request.error().code == Errc::permission_denied &&
                   request.error().object.find("emud-ctl-test") != std::string::npos
               ? 0
               : 4;
  });
  CHECK(status == 0);
}

TEST_CASE("run request: Nix is recognised by the program's name") {
  for (const char* name : {"nix", "nix-build", "/usr/bin/nix-shell", "nixos-rebuild",
                           "./nixos-generate", "nixos-install", "nixos-generators", "nix-env"}) {
    CHECK(is_nix_command(name));
  }
  for (const char* name : {"nixfmt", "nixos", "make", "nix/", "xnix", ""}) {
    CHECK_FALSE(is_nix_command(name));
  }
  CHECK(make_run_request(intent_of({"nix-build"}))->call.nix == true);
  RunIntent without = intent_of({"nix-build"});
  without.nix = false;
  CHECK_FALSE(make_run_request(without)->call.nix);
  RunIntent with = intent_of({"make"});
  with.nix = true;
  CHECK(make_run_request(with)->call.nix == true);
}

TEST_CASE("run request: the architecture of a foreign program is found") {
  const test::Directory directory;
  const std::string path = directory.path() + "/guest";
  const char* name = host_architecture().name == "aarch64" ? "riscv64" : "aarch64";
  const auto image = probe_image(*find_architecture(name).value());
  REQUIRE_FALSE(image.empty());
  const std::string image_bytes{reinterpret_cast<const char*>(image.data()), image.size()};
  const auto write = [](const std::string& file, std::string_view bytes) {
    const UniqueFd fd = open_at(AT_FDCWD, file, O_WRONLY | O_CREAT, 0755).value();
    REQUIRE(write_all(fd.get(), file, bytes));
  };
  write(path, image_bytes);

  const auto architecture_of = [](const std::string& program) {
    return foreign_program(program).value().architecture;
  };
  CHECK(architecture_of(path) == name);
  CHECK(foreign_program(path).value().missing_linker.empty());
  CHECK(make_run_request(intent_of({path}))->call.architectures == std::vector<std::string>{name});
  RunIntent named = intent_of({path});
  named.architectures = {"arm"};
  CHECK(make_run_request(named)->call.architectures == std::vector<std::string>{"arm"});

  ::setenv("PATH", ("/nonexistent:" + directory.path() + ":/usr/bin:/bin").c_str(), 1);
  CHECK(architecture_of("guest") == name);
  CHECK(architecture_of("sh").empty());           // this machine's
  CHECK(architecture_of("/etc/passwd").empty());  // no program
  CHECK(architecture_of("no-such-command").empty());
  CHECK(architecture_of(directory.path()).empty());

  write(directory.path() + "/script", fmt::format("#! {} -x\n", path));
  CHECK(architecture_of(directory.path() + "/script") == name);
  write(directory.path() + "/cut", std::string_view{image_bytes}.substr(0, image_bytes.size() - 1));
  const auto cut = make_run_request(intent_of({directory.path() + "/cut"}));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == Errc::command_not_executable);
  CHECK(cut.error().object == directory.path() + "/cut");
  CHECK(cut.error().reason.starts_with("the file is cut off"));
}

}  // namespace
}  // namespace emud::ctl
