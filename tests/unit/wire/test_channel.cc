#include "wire/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <csignal>
#include <string>
#include <thread>

#include "support/catch.h"
#include "wire/socket_tools.h"

using namespace emud;
using namespace emud::test;

TEST_CASE("messages arrive whole and in order", "[wire]") {
  auto [left, right] = channel_pair();
  for (const auto* text : {"{}", "", R"({"a":1})"}) REQUIRE(left.put({text, {}}));
  CHECK(left.queued_bytes() == 3 + 1 + 8);
  CHECK(left.flush().value());
  CHECK(left.queued_bytes() == 0);
  CHECK_FALSE(right.take());
  CHECK(right.fill().value());
  for (const auto* text : {"{}", "", R"({"a":1})"}) CHECK(right.take().value().json == text);
  CHECK_FALSE(right.take());
  CHECK_FALSE(right.fill().value());
}

TEST_CASE("the socket's status flags stay as they are", "[wire]") {
  auto [left, right] = channel_pair();
  REQUIRE(left.put({std::string(4 << 20, 'x'), {}}));
  CHECK_FALSE(left.flush().value());
  CHECK(right.fill().value());
  CHECK((::fcntl(left.fd(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((::fcntl(right.fd(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a large message goes out in pieces and comes in in pieces", "[wire]") {
  auto sockets = make_socket_pair().value();
  const int small = 4096;
  REQUIRE(::setsockopt(sockets.first.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
  Channel left{std::move(sockets.first)};
  Channel right{std::move(sockets.second)};
  std::string text(300000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  REQUIRE(left.put({text, {}}));
  REQUIRE(left.put({"next", {}}));

  int rounds = 0;
  std::size_t queued = left.queued_bytes();
  while (!left.flush().value()) {
    ++rounds;
    CHECK(left.queued_bytes() < queued);
    queued = left.queued_bytes();
    while (right.fill().value()) continue;
  }
  CHECK(rounds > 10);
  while (right.fill().value()) continue;
  CHECK(right.take().value().json == text);
  CHECK(right.take().value().json == "next");
}

TEST_CASE("a message that trickles in is not scanned again and again", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second)};
  const std::size_t size = 1 << 18;  // rescanning would touch 2^35 bytes
  for (std::size_t i = 0; i < size; ++i) {
    send_raw(sockets.first.get(), "x");
    REQUIRE(right.fill().value());
    REQUIRE_FALSE(right.take());
  }
  send_raw(sockets.first.get(), std::string_view{"\0", 1});
  REQUIRE(right.fill().value());
  CHECK(right.take().value().json.size() == size);
}

TEST_CASE("the end of the connection", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second)};

  SECTION("between messages") {
    send_raw(sockets.first.get(), std::string_view{"{}\0", 3});
    sockets.first.reset();
    CHECK(right.receive().value().json == "{}");
    CHECK(right.receive().error().code == Errc::disconnected);
  }
  SECTION("in the middle of a message") {
    send_raw(sockets.first.get(), std::string_view{"{}\0{\"a\"", 7});
    sockets.first.reset();
    CHECK(right.receive().value().json == "{}");
    const auto end = right.receive();
    REQUIRE_FALSE(end);
    CHECK(end.error().code == Errc::disconnected);
    CHECK(end.error().message().find("middle") != std::string::npos);
  }
  SECTION("with data unread on the other side") {
    REQUIRE(right.send({"unread", {}}));
    sockets.first.reset();
    CHECK(right.receive().error().code == Errc::disconnected);  // ECONNRESET
  }
  SECTION("while sending, without SIGPIPE") {
    sockets.first.reset();
    REQUIRE(right.put({"{}", {}}));
    CHECK(right.flush().error().code == Errc::disconnected);
    CHECK(right.queued_bytes() == 0);  // a later message does not bring it along
    CHECK(right.send({"{}", {}}).error().code == Errc::disconnected);
  }
}

TEST_CASE("the bound of a message is exact", "[wire]") {
  auto sockets = make_socket_pair().value();
  const std::size_t extra = GENERATE(0U, 1U);
  Channel right{std::move(sockets.second)};
  const std::string text(max_message_size + extra, 'x');
  const std::jthread peer{[&] {
    send_raw(sockets.first.get(), text);
    send_raw(sockets.first.get(), std::string_view{"\0", 1});
  }};
  const auto frame = right.receive();
  CHECK(frame.has_value() == (extra == 0));
  if (frame) {
    CHECK(frame->json == text);
  } else {
    CHECK(frame.error().code == Errc::limit_exceeded);
    CHECK(frame.error().message().find("8388608") != std::string::npos);
    CHECK(right.fill().error().code == Errc::limit_exceeded);
    right = Channel{UniqueFd{}};  // the peer's send ends
  }
}

TEST_CASE("100 MiB without a NUL are refused after 8", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second)};
  std::size_t sent = 0;
  std::jthread peer{[&] { sent = send_raw(sockets.first.get(), std::string(100 << 20, 'x')); }};
  const auto frame = right.receive();
  REQUIRE_FALSE(frame);
  CHECK(frame.error().code == Errc::limit_exceeded);
  right = Channel{UniqueFd{}};
  peer.join();
  CHECK(sent < (10 << 20));
}

TEST_CASE("messages before one that is too long can be taken", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second), 8};
  send_raw(sockets.first.get(), std::string_view{"first\0second\0much too long\0", 27});
  CHECK(right.receive().value().json == "first");
  CHECK(right.receive().value().json == "second");
  CHECK(right.receive().error().code == Errc::limit_exceeded);
}

TEST_CASE("messages that nobody takes are bounded", "[wire]") {
  auto sockets = make_socket_pair().value();
  Channel right{std::move(sockets.second), 1 << 16};
  const std::string many(1 << 14, '\0');
  Result<bool> filled = true;
  int reads = 0;
  while (filled && reads < 100) {
    send_raw(sockets.first.get(), many);
    filled = right.fill();
    ++reads;
  }
  REQUIRE_FALSE(filled);
  CHECK(reads < 3);
  CHECK(filled.error().code == Errc::limit_exceeded);
}

TEST_CASE("what is too large is not queued", "[wire]") {
  auto [left, right] = channel_pair();
  CHECK(left.put({std::string(max_message_size + 1, 'x'), {}}).error().code ==
        Errc::limit_exceeded);
  CHECK(left.put({std::string("a\0b", 3), {}}).error().code == Errc::internal);
  CHECK(left.queued_bytes() == 0);
  CHECK(left.flush().value());
  CHECK_FALSE(right.fill().value());
}

TEST_CASE("a blocking exchange", "[wire]") {
  auto [left, right] = channel_pair();
  const std::string text(max_message_size, 'y');
  std::jthread peer{[&peer_end = right] {
    auto frame = peer_end.receive();
    if (frame) (void)peer_end.send(std::move(*frame));
  }};
  REQUIRE(left.send({text, {}}));
  CHECK(left.receive().value().json == text);
}

TEST_CASE("waiting ends at the timeout, signals or not", "[wire]") {
  auto [left, right] = channel_pair();
  CHECK(left.receive(0).error().code == Errc::timed_out);
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};  // without SA_RESTART: poll(2) ends with EINTR
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  const itimerval often{{0, 2000}, {0, 2000}};
  const itimerval never{};
  REQUIRE(::setitimer(ITIMER_REAL, &often, nullptr) == 0);
  CHECK(left.receive(50).error().code == Errc::timed_out);
  CHECK(::setitimer(ITIMER_REAL, &never, nullptr) == 0);
  CHECK(::sigaction(SIGALRM, &before, nullptr) == 0);
  REQUIRE(right.send({"{}", {}}));
  CHECK(left.receive(50).value().json == "{}");
}
