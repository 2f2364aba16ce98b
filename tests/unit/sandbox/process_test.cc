#include "sandbox/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/file.h"
#include "sandbox/command.h"
#include "sandbox/descendants.h"
#include "support/catch.h"

namespace emud {
namespace {

TEST_CASE("a child's exit status and signal are told apart") {
  auto exits = clone_child();
  REQUIRE(exits);
  if (!*exits) ::_exit(7);
  CHECK(exits->wait()->code == 7);

  auto dies = clone_child();
  REQUIRE(dies);
  if (!*dies) {
    ::raise(SIGKILL);
    ::_exit(0);
  }
  CHECK(dies->wait()->signal == SIGKILL);
}

TEST_CASE("a child that nobody waits for is killed and reaped with its owner") {
  pid_t pid = 0;
  {
    auto child = clone_child();
    REQUIRE(child);
    if (!*child) {
      ::pause();
      ::_exit(0);
    }
    pid = child->pid();
    CHECK_FALSE(child->wait(0));  // it lives
  }
  CHECK(::kill(pid, 0) != 0);
  CHECK(errno == ESRCH);
}

TEST_CASE("a child starts with default handlers and an empty signal mask") {
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  auto child = clone_child();
  REQUIRE(child);
  if (!*child) {
    sigset_t mask;
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    struct sigaction action{};
    ::sigaction(SIGUSR1, nullptr, &action);
    ::_exit(action.sa_handler == SIG_DFL && ::sigismember(&mask, SIGUSR2) == 0 ? 0 : 1);
  }
  CHECK(child->wait()->code == 0);
  ::signal(SIGUSR1, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
}

// The numbers from 3 to 20 that this process does not itself inherit from whoever runs the tests.
std::string numbers_to_check() {
  std::string numbers;
  for (int number = 3; number <= 20; ++number) {
    const int flags = ::fcntl(number, F_GETFD);
    if (number != 7 && (flags < 0 || (flags & FD_CLOEXEC) != 0))
      numbers += std::to_string(number) + " ";
  }
  return numbers;
}

using Starter = Result<Child> (*)(Command command);

Result<Child> start_held(Command command) {
  EMUD_ASSIGN(HeldCommand held, HeldCommand::clone(command, Identity{}, {.keep_identity = true}));
  command.fds.clear();
  Child child = held.take_child();
  EMUD_TRY(held.start());
  return child;
}

Result<Child> start_own(Command command) {
  return start_own_command(command, Identity{}, {.own_group = false, .keep_identity = true});
}

TEST_CASE("a command gets its descriptors at their numbers and no other") {
  auto out = make_pipe();
  REQUIRE(out);
  const UniqueFd ours{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  Command command;
  command.arguments = {"/bin/sh", "-c",
                       "echo seven >&7; for n in " + numbers_to_check() +
                           "; do [ ! -e /proc/$$/fd/$n ] || echo leaked $n; done"};
  command.environment = {"PATH=/usr/bin:/bin"};
  command.fds.push_back({1, *out->second.duplicate()});
  command.fds.push_back({7, *out->second.duplicate()});
  const Starter start = GENERATE(start_held, start_own);
  auto child = start(std::move(command));
  REQUIRE(child);
  out->second.reset();
  const auto text = read_all(out->first.get(), "output", 4096);
  CHECK(child->wait()->code == 0);
  CHECK(*text == "seven\n");
}

TEST_CASE("descriptors that trade places both arrive") {
  auto first = make_pipe();
  auto second = make_pipe();
  REQUIRE(first);
  REQUIRE(second);
  auto child = clone_child();
  REQUIRE(child);
  if (!*child) {
    const int a = first->second.get();
    const int b = second->second.get();
    std::vector<CommandFd> fds;
    fds.push_back({b, std::move(first->second)});
    fds.push_back({a, std::move(second->second)});
    if (!install_fds(fds)) ::_exit(1);
    const bool done = ::write(a, "second", 6) == 6 && ::write(b, "first", 5) == 5;
    ::_exit(done ? 0 : 2);
  }
  first->second.reset();
  second->second.reset();
  CHECK(child->wait()->code == 0);
  CHECK(*read_all(first->first.get(), "first", 64) == "first");
  CHECK(*read_all(second->first.get(), "second", 64) == "second");
}

TEST_CASE("a command that cannot be started says so in its parent") {
  const Starter starter = GENERATE(start_held, start_own);
  const auto start = [&](const std::string& name) {
    Command command;
    command.arguments = {name};
    command.environment = {"PATH=/nonexistent:/etc"};
    return starter(std::move(command));
  };
  CHECK(start("no-such-command").error().code == Errc::command_not_found);
  CHECK(start("/no/such/command").error().code == Errc::command_not_found);
  CHECK(start("passwd").error().code ==
        Errc::command_not_executable);  // found in /etc, not executable
  CHECK(start("/etc").error().code == Errc::command_not_executable);
}

TEST_CASE("a child that shares the memory leaves what it wrote, and has its own descriptors") {
  struct Shared {
    UniqueFd fd;
    std::vector<int> numbers;
  };
  Shared shared{UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}, {}};
  for (int round = 0; round < 3; ++round) {
    auto child = clone_to_execute(
        0,
        [](void* given) {
          auto& it = *static_cast<Shared*>(given);
          ::close(it.fd.get());
          for (int number = 0; number < 1000; ++number) it.numbers.push_back(number);
          ::_exit(7);
        },
        &shared);
    REQUIRE(child);
    CHECK(child->wait()->code == 7);
  }
  CHECK(shared.numbers.size() == 3000);
  CHECK(::fcntl(shared.fd.get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("a child that shares the memory has default signal handlers and an empty mask") {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  struct sigaction before{};
  ::sigaction(SIGUSR1, &ignore, &before);
  auto child = clone_to_execute(0, [](void*) { ::raise(SIGUSR1); }, nullptr);
  ::sigaction(SIGUSR1, &before, nullptr);
  REQUIRE(child);
  CHECK(child->wait()->signal == SIGUSR1);
}

TEST_CASE("a command that waits does nothing, and ends with whoever holds it") {
  auto out = make_pipe();
  REQUIRE(out);
  Command command;
  command.arguments = {"/bin/echo", "started"};
  command.fds.push_back({1, std::move(out->second)});
  {
    auto held = HeldCommand::clone(command, Identity{}, {.keep_identity = true});
    REQUIRE(held);
    command.fds.clear();
  }
  CHECK(*read_all(out->first.get(), "output", 64) == "");
}

TEST_CASE("what fails before a command may start is told when it should") {
  Command command;
  command.arguments = {"/bin/true"};
  auto held = HeldCommand::clone(command, Identity{},
                                 {.enter = [](const Identity&) -> Result<> {
                                    return fail(Errc::limit_exceeded, "enter", "it");
                                  },
                                  .keep_identity = true});
  REQUIRE(held);
  const auto started = held->start();
  REQUIRE(!started);
  CHECK(started.error().code == Errc::limit_exceeded);
  CHECK(started.error().object == "it");
}

TEST_CASE("a command that was killed while it waited is no failure to start it") {
  Command command;
  command.arguments = {"/bin/true"};
  auto held = HeldCommand::clone(command, Identity{}, {.keep_identity = true});
  REQUIRE(held);
  Child child = held->take_child();
  child.signal(SIGKILL);
  CHECK(held->start());
  CHECK(child.wait()->signal == SIGKILL);
}

TEST_CASE("descendants end, also those that left their session and ignore signals") {
  auto child = clone_child();
  REQUIRE(child);
  if (!*child) {
    if (!become_subreaper()) ::_exit(1);
    auto pipe = make_pipe();
    if (!pipe) ::_exit(2);
    const pid_t middle = ::fork();
    if (middle == 0) {
      if (::fork() == 0) {
        ::setsid();
        ::signal(SIGTERM, SIG_IGN);
        [[maybe_unused]] const auto told = ::write(pipe->second.get(), "x", 1);
        for (;;) ::pause();
      }
      ::_exit(0);
    }
    char ready = 0;
    if (::read(pipe->first.get(), &ready, 1) != 1) ::_exit(3);
    if (!end_descendants(5000)) ::_exit(4);
    ::_exit(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD ? 0 : 5);
  }
  CHECK(child->wait()->code == 0);
}

}  // namespace
}  // namespace emud
