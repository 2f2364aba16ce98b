#include "daemon/intake.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/catch.h"

namespace emud {
namespace {

TEST_CASE("descriptors whose closing waits for nobody are taken") {
  const auto pipe = make_pipe();
  REQUIRE(pipe);
  CHECK(why_it_may_block(pipe->first.get()).empty());
  CHECK(is_closed_at_once(pipe->first.get()));
  const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  CHECK(why_it_may_block(null.get()).empty());
  CHECK(is_closed_at_once(null.get()));
  const UniqueFd directory{::open("/", O_PATH | O_CLOEXEC)};
  CHECK(why_it_may_block(directory.get()).empty());
  CHECK(is_closed_at_once(directory.get()));
  const UniqueFd file{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
  CHECK(why_it_may_block(file.get()).empty());
  CHECK(is_closed_at_once(file.get()));
  const UniqueFd process_file{::open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
  CHECK(why_it_may_block(process_file.get()).empty());
  const UniqueFd memory{::memfd_create("x", MFD_CLOEXEC)};
  CHECK(why_it_may_block(memory.get()).empty());
  const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
  CHECK(why_it_may_block(process.get()).empty());
}

TEST_CASE("sockets that wait when they are closed are told apart") {
  const auto pair = make_socket_pair();
  REQUIRE(pair);
  CHECK(why_it_may_block(pair->first.get()).empty());
  CHECK_FALSE(is_closed_at_once(pair->first.get()));
  const UniqueFd internet{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  CHECK(why_it_may_block(internet.get()).empty());
  CHECK_FALSE(is_closed_at_once(internet.get()));
  const linger value{.l_onoff = 1, .l_linger = 60};
  REQUIRE(::setsockopt(internet.get(), SOL_SOCKET, SO_LINGER, &value, sizeof value) == 0);
  CHECK(why_it_may_block(internet.get()) == "a socket with SO_LINGER");
  CHECK_FALSE(why_it_may_block(-1).empty());
}

TEST_CASE("each user has so much to be held, over all his connections") {
  asio::io_context loop{1};
  Intake intake{loop.get_executor(), 1000, 10};
  std::vector<UniqueFd> none;
  Intake::Account other{intake, 1001};
  {
    Intake::Account first{intake, 1000};
    Intake::Account second{intake, 1000};
    CHECK(first.admit(600, 0, none));
    CHECK(second.admit(400, 10, none));
    const auto refused = second.admit(401, 10, none);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::limit_exceeded);
    CHECK(refused.error().hint.find("max-message-memory-per-user") != std::string::npos);
    CHECK(first.admit(0, 0, none));
    CHECK(second.admit(1000, 10, none));
    CHECK_FALSE(second.admit(1000, 11, none));
    CHECK(other.admit(1000, 10, none));
  }
  Intake::Account again{intake, 1000};
  CHECK(again.admit(1000, 10, none));
}

}  // namespace
}  // namespace emud
