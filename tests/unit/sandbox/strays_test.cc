#include "sandbox/strays.h"

#include <sched.h>
#include <unistd.h>

#include <csignal>

#include "sandbox/namespaces.h"
#include "sandbox/process.h"
#include "support/catch.h"

namespace emud {
namespace {

// A process in a user namespace of its own, which starts another one in a namespace below that, and
// so on, `depth` in all; the last says when it is there. Each is mapped by its parent: who has no
// id may make no namespace (user_namespaces(7)).
Child start_in_namespaces(int depth, int ready) {
  auto mapped = make_pipe();
  REQUIRE(mapped);
  auto child = clone_child({.flags = CLONE_NEWUSER, .cgroup = -1});
  if (!child) FAIL(child.error().message());
  if (*child) {
    REQUIRE(map_identity(child->pid()));
    REQUIRE(::write(mapped->second.get(), "x", 1) == 1);
    return *std::move(child);
  }
  char byte = 0;
  if (::read(mapped->first.get(), &byte, 1) != 1) ::_exit(1);
  ::setsid();  // nobody's child any more when its parent is killed
  if (depth > 1) {
    const Child below = start_in_namespaces(depth - 1, ready);
    for (;;) ::pause();
  }
  [[maybe_unused]] const auto told = ::write(ready, "x", 1);
  for (;;) ::pause();
}

TEST_CASE("everything in a user namespace and below it is ended, and nothing else", "[sandbox]") {
  auto pipe = make_pipe();
  REQUIRE(pipe);
  char byte = 0;
  Child other = start_in_namespaces(1, pipe->second.get());
  REQUIRE(::read(pipe->first.get(), &byte, 1) == 1);
  Child top = start_in_namespaces(3, pipe->second.get());
  REQUIRE(::read(pipe->first.get(), &byte, 1) == 1);
  const auto place = open_user_namespace(top.pid());
  REQUIRE(place);
  REQUIRE(end_user_namespace(place->get(), 10'000));
  const auto status = top.wait(10'000);
  REQUIRE(status);
  CHECK(status->signal == SIGKILL);
  CHECK_FALSE(other.wait(0));
  // They hold the namespace; with all of them gone there is nobody left to find.
  CHECK(end_user_namespace(place->get(), 0));
}

}  // namespace
}  // namespace emud
