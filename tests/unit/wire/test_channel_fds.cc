// Descriptors over a channel: they belong to the message they were sent with, and none is lost.
#include <fcntl.h>
#include <sys/resource.h>

#include <string>
#include <thread>

#include "support/catch.h"
#include "wire/channel.h"
#include "wire/socket_tools.h"

using namespace emud;
using namespace emud::test;

namespace {

Frame frame_with(std::string json, int fd, std::size_t count = 1) {
  Frame frame{std::move(json), {}};
  for (std::size_t i = 0; i < count; ++i) {
    frame.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  }
  return frame;
}

}  // namespace

TEST_CASE("descriptors travel with their message", "[wire]") {
  auto [left, right] = channel_pair();
  const Pipe pipe = open_pipe();
  REQUIRE(left.send(frame_with("{}", pipe.writer.get(), 3)));
  const auto frame = right.receive();
  REQUIRE(frame);
  REQUIRE(frame->fds.size() == 3);
  for (const auto& fd : frame->fds) {
    CHECK(connects(fd.get(), pipe));
    CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("of several messages each gets its own descriptors", "[wire]") {
  auto [left, right] = channel_pair();
  const Pipe pipe = open_pipe();
  const Pipe other = open_pipe();
  REQUIRE(left.put({"plain", {}}));
  REQUIRE(left.put(frame_with("one", pipe.writer.get())));
  REQUIRE(left.put({"plain again", {}}));
  REQUIRE(left.put(frame_with("two", other.writer.get(), 2)));
  REQUIRE(left.put(frame_with("three", pipe.writer.get(), 3)));
  REQUIRE(left.put({"end", {}}));
  REQUIRE(left.flush().value());

  CHECK(right.receive().value().fds.empty());
  const Frame one = right.receive().value();
  CHECK(one.json == "one");
  REQUIRE(one.fds.size() == 1);
  CHECK(connects(one.fds[0].get(), pipe));
  CHECK(right.receive().value().fds.empty());
  const Frame two = right.receive().value();
  REQUIRE(two.fds.size() == 2);
  CHECK(connects(two.fds[1].get(), other));
  const Frame three = right.receive().value();
  CHECK(three.json == "three");
  REQUIRE(three.fds.size() == 3);
  CHECK(connects(three.fds[2].get(), pipe));
  CHECK(right.receive().value().json == "end");
}

TEST_CASE("a message larger than the socket's buffer keeps its descriptors", "[wire]") {
  auto [left, right] = channel_pair();
  const Pipe pipe = open_pipe();
  const std::string text(3 << 20, 'x');
  std::jthread peer{[&sender = left, &pipe, &text] {
    (void)sender.send({"before", {}});
    (void)sender.send(frame_with(text, pipe.writer.get(), 4));
    (void)sender.send(frame_with("after", pipe.writer.get(), 1));
  }};
  CHECK(right.receive().value().fds.empty());
  const Frame large = right.receive().value();
  CHECK(large.json == text);
  REQUIRE(large.fds.size() == 4);
  CHECK(connects(large.fds[3].get(), pipe));
  CHECK(right.receive().value().fds.size() == 1);
}

TEST_CASE("descriptors in the middle of a message belong to it", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second)};
  const Pipe pipe = open_pipe();
  const int fds[] = {pipe.writer.get()};
  send_raw(sockets.first.get(), std::string_view{"a\0{", 3});
  send_raw(sockets.first.get(), "1", fds);
  send_raw(sockets.first.get(), "2", fds);
  send_raw(sockets.first.get(), std::string_view{"}\0", 2});
  CHECK(right.receive().value().fds.empty());
  const Frame frame = right.receive().value();
  CHECK(frame.json == "{12}");
  CHECK(frame.fds.size() == 2);
}

TEST_CASE("the sender's descriptors are closed when they are on their way", "[wire]") {
  auto [left, right] = channel_pair();
  Pipe pipe = open_pipe();
  const std::size_t before = open_descriptors();
  REQUIRE(left.put(frame_with(std::string(4 << 20, 'x'), pipe.writer.get())));
  CHECK(open_descriptors() == before + 1);
  CHECK_FALSE(left.flush().value());
  CHECK(open_descriptors() == before);
}

TEST_CASE("253 descriptors fit into a message and no more", "[wire]") {
  auto [left, right] = channel_pair();
  const Pipe pipe = open_pipe();
  const std::size_t before = open_descriptors();
  REQUIRE(left.send(frame_with("{}", pipe.writer.get(), max_message_fds)));
  CHECK(right.receive().value().fds.size() == max_message_fds);
  CHECK(left.put(frame_with("{}", pipe.writer.get(), max_message_fds + 1)).error().code ==
        Errc::limit_exceeded);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a peer cannot pile up descriptors", "[wire]") {
  auto sockets = make_socket_pair().value();
  const Pipe pipe = open_pipe();
  const std::vector<int> fds(max_message_fds, pipe.writer.get());
  const std::size_t before = open_descriptors();
  Channel right{std::move(sockets.second)};

  SECTION("in one message") {
    send_raw(sockets.first.get(), "{", fds);
    send_raw(sockets.first.get(), "}", std::span{fds}.first(1));
    CHECK(right.fill().value());
    CHECK(open_descriptors() == before + max_message_fds);
    const auto second = right.fill();
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::limit_exceeded);
    CHECK(second.error().message().find("253") != std::string::npos);
  }
  SECTION("in messages nobody takes") {
    const std::string_view message{"{}\0", 3};
    Result<bool> filled = true;
    for (int i = 0; i < 5 && filled; ++i) {
      send_raw(sockets.first.get(), message, fds);
      filled = right.fill();
    }
    REQUIRE_FALSE(filled);
    CHECK(filled.error().code == Errc::limit_exceeded);
    CHECK(open_descriptors() <= before + 2 * max_message_fds);
    while (right.take()) continue;
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("lost descriptors are a protocol error and none stays open", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second)};
  const Pipe pipe = open_pipe();
  const std::vector<int> fds(64, pipe.writer.get());
  send_raw(sockets.first.get(), std::string_view{"{}\0", 3}, fds);
  const std::size_t before = open_descriptors();

  // The kernel sets MSG_CTRUNC where a descriptor cannot be installed (scm_detach_fds).
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(before + 8);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  const auto filled = right.fill();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);

  REQUIRE_FALSE(filled);
  CHECK(filled.error().code == Errc::protocol);
  CHECK_FALSE(right.take());
  CHECK(open_descriptors() == before);
}
