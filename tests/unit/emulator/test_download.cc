// download() and emud-fetcher against mirrors good and bad, on 127.0.0.1.
#include "emulator/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <span>

#include "emulator/url.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"
#include "unit/emulator/mirror.h"

namespace emud {
namespace {

using test::contains;
using test::head;
using test::Mirror;
using test::MirrorConnection;
using test::MirrorRequest;
using test::whole;

const std::string& content() {
  static const std::string bytes = [] {
    std::mt19937 random{1};  // NOLINT: the same bytes each time
    std::string text(300'000, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }();
  return bytes;
}

Digest digest_of(std::string_view bytes) {
  return test::value_of(Digest::of_bytes(std::as_bytes(std::span{bytes})));
}

Download wanted(std::vector<std::string> urls) {
  return Download{
      .name = "test.deb",
      .urls = std::move(urls),
      .size = content().size(),
      .digest = digest_of(content()),
      .times = {std::chrono::seconds{5}, std::chrono::seconds{1}, std::chrono::seconds{30}}};
}

// The error of a download from that one source, which must fail and leave nothing.
Error refusal(const Mirror::Handler& handler, bool is_size_known = true) {
  const test::TestStore scratch;
  Mirror mirror{handler};
  Download job = wanted({mirror.url("/x.deb")});
  if (!is_size_known) job.size.reset();
  const auto done = download(scratch.store, job, {});
  CHECK(scratch.names().empty());
  REQUIRE_FALSE(done);
  INFO(done.error().message());
  CHECK(contains(done.error().reason, mirror.url("/x.deb") + ": "));
  CHECK(contains(done.error().hint, "--mirror"));
  return done.error();
}

TEST_CASE("a good file arrives, and its progress is told") {
  const test::TestStore scratch;
  Mirror mirror{
      [](const MirrorRequest&, const MirrorConnection& client) { client.send(whole(content())); }};
  std::vector<DownloadProgress> heard;
  const auto listener = [&](const DownloadProgress& progress) { heard.push_back(progress); };
  auto got = test::value_of(download(scratch.store, wanted({mirror.url("/a%2Bb.deb")}), listener));
  CHECK(got.url == mirror.url("/a%2Bb.deb"));
  CHECK(test::value_of(Digest::of_file(got.file.get(), "it")) == digest_of(content()));
  REQUIRE(heard.size() >= 2);
  CHECK(heard.front().done == 0);
  CHECK(heard.back().done == content().size());
  CHECK(heard.back().total == content().size());
  CHECK(heard.back().url == got.url);
  CHECK(mirror.requests().size() == 1);
  CHECK(mirror.requests().front().path == "/a%2Bb.deb");
}

TEST_CASE("a flipped bit is found, wherever it is") {
  constexpr int flips = 200;
  std::mt19937 random{20};  // NOLINT: the same places each time
  std::vector<std::size_t> places;
  for (int i = 0; i < flips; ++i) places.push_back(random() % content().size());
  const test::TestStore scratch;
  Mirror mirror{[&](const MirrorRequest& request, const MirrorConnection& client) {
    std::string bytes = content();
    const std::size_t flip = std::stoul(request.path.substr(1));
    if (flip < places.size()) bytes[places[flip]] ^= static_cast<char>(1U << (flip % 8));
    client.send(whole(bytes));
  }};
  std::vector<std::string> urls;
  for (int i = 0; i < flips; ++i) urls.push_back(mirror.url(fmt::format("/{}", i)));
  const auto refused = download(scratch.store, wanted(urls), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::digest_mismatch);
  for (const std::string& url : urls) CHECK(contains(refused.error().reason, url + ": "));
  CHECK(mirror.requests().size() == flips);

  // One more source that tells the truth, and it is taken.
  const auto got =
      test::value_of(download(scratch.store, wanted({urls[0], urls[1], mirror.url("/999")}), {}));
  CHECK(got.url == mirror.url("/999"));
  CHECK(scratch.names().empty());
}

TEST_CASE("files of another length are refused") {
  const std::string half = content().substr(0, content().size() / 2);
  SECTION("shorter, and says so") {
    const Error error = refusal([&](auto&, auto& client) { client.send(whole(half)); });
    CHECK(contains(error.reason, "announces 150000 bytes instead of 300000"));
  }
  SECTION("shorter, without a length") {
    const Error error = refusal([&](auto&, auto& client) { client.send(head("200 OK") + half); });
    CHECK(contains(error.reason, "it ended after 150000 bytes of 300000 (in 5 attempts)"));
  }
  SECTION("longer, and says so") {
    const Error error = refusal([&](auto&, auto& client) { client.send(whole(content() + "x")); });
    CHECK(contains(error.reason, "announces 300001 bytes instead of 300000"));
  }
  SECTION("endless") {
    const Error error = refusal([&](auto&, auto& client) {
      bool is_there = client.send(head("200 OK"));
      while (is_there) is_there = client.send(content());
    });
    CHECK(contains(error.reason, "longer than 300000 bytes"));
  }
  SECTION("endless, in chunks") {
    const Error error = refusal([&](auto&, auto& client) {
      bool is_there = client.send(head("200 OK", {"Transfer-Encoding: chunked"}));
      const std::string chunk = fmt::format("{:x}\r\n{}\r\n", half.size(), half);
      while (is_there) is_there = client.send(chunk);
    });
    CHECK(contains(error.reason, "longer than 300000 bytes"));
  }
  SECTION("larger than anything that is taken, where the size is unknown") {
    const Error error = refusal(
        [&](auto&, auto& client) {
          client.send(head("200 OK", {"Content-Length: 999999999"}) + half);
        },
        false);
    CHECK(contains(error.reason, "announces 999999999 bytes, and 268435456 are allowed"));
  }
  SECTION("a length that is no number") {
    const Error error = refusal([&](auto&, auto& client) {
      client.send(head("200 OK", {"Content-Length: -5"}) + content());
    });
    CHECK_FALSE(error.reason.empty());
  }
  SECTION("empty") {
    const Error error = refusal([&](auto&, auto& client) { client.send(whole("")); });
    CHECK_FALSE(error.reason.empty());
  }
}

TEST_CASE("redirects have bounds") {
  SECTION("in a circle") {
    const Error error = refusal([](auto&, auto& client) {
      client.send(head("302 Found", {"Location: /x.deb", "Content-Length: 0"}));
    });
    CHECK(contains(error.reason, "redirects more than 5 times"));
  }
  for (const std::string target :
       {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://127.0.0.1/x",
        "ldap://127.0.0.1/x", "smb://127.0.0.1/x", "telnet://127.0.0.1/"}) {
    DYNAMIC_SECTION("to " << target) {
      const Error error = refusal([&](auto&, auto& client) {
        client.send(head("301 Moved Permanently", {"Location: " + target, "Content-Length: 0"}));
      });
      CHECK(contains(error.reason, target.substr(0, target.find(':'))));
      CHECK(contains(error.reason, "only http and https"));
    }
  }
  SECTION("a few are followed") {
    const test::TestStore scratch;
    Mirror mirror{[](const MirrorRequest& request, const MirrorConnection& client) {
      const int number = std::stoi(request.path.substr(1));
      if (number == 5) {
        client.send(whole(content()));
        return;
      }
      client.send(head("307 Temporary Redirect",
                       {fmt::format("Location: /{}", number + 1), "Content-Length: 0"}));
    }};
    CHECK(download(scratch.store, wanted({mirror.url("/0")}), {}));
  }
}

TEST_CASE("a server that does not serve is told from the next") {
  const test::TestStore scratch;
  Mirror mirror{[](const MirrorRequest& request, const MirrorConnection& client) {
    if (request.path == "/missing") client.send(head("404 Not Found", {"Content-Length: 0"}));
    if (request.path == "/broken") client.send(head("503 Service Unavailable"));
    if (request.path == "/empty") client.send(head("204 No Content"));
    if (request.path == "/noise") client.send("this is not HTTP\r\n\r\n");
    if (request.path == "/headers") {
      const std::string line = "X-Padding: " + std::string(2000, 'x') + "\r\n";
      bool is_there = client.send("HTTP/1.1 200 OK\r\n");
      while (is_there) is_there = client.send(line);
    }
    if (request.path == "/good") client.send(whole(content()));
  }};
  std::vector<std::string> urls;
  for (const char* path : {"/missing", "/broken", "/empty", "/noise", "/headers"}) {
    urls.push_back(mirror.url(path));
  }
  urls.emplace_back("http://127.0.0.1:9/refused");
  const auto refused = download(scratch.store, wanted(urls), {});
  REQUIRE_FALSE(refused);
  const std::string& reason = refused.error().reason;
  INFO(reason);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(contains(reason, "/missing: the server answered 404 (not found)"));
  CHECK(contains(reason, "/broken: the server answered 503 (not available now)"));
  CHECK(contains(reason, "/empty: the server answered 204"));
  CHECK(contains(reason, "/noise: "));
  CHECK_FALSE(contains(reason, "only http and https"));
  CHECK(contains(reason, "/headers: it sent more than 256 KiB of headers"));
  CHECK(contains(reason, "/refused: no connection: Connection refused"));

  Download job = wanted(urls);
  job.more = [&] { return std::vector{urls[0], mirror.url("/good")}; };
  CHECK(test::value_of(download(scratch.store, job, {})).url == mirror.url("/good"));
  const auto requests = mirror.requests();
  const auto count = [&](std::string_view path) {
    return std::ranges::count(requests, path, &MirrorRequest::path);
  };
  CHECK(count("/missing") == 2);  // once a download, though it was named twice in the second
  CHECK(count("/good") == 1);
}

TEST_CASE("a slow drip is given up") {
  const Error error = refusal([](auto&, auto& client) {
    bool is_there = client.send(head("200 OK", {"Content-Length: 300000"}));
    while (is_there) {
      is_there = client.send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
  });
  CHECK(contains(error.reason, "too slow"));
}

TEST_CASE("a drip that never stalls is given up all the same") {
  const test::TestStore scratch;
  Mirror mirror{[](auto&, auto& client) {
    bool is_there = client.send(head("200 OK", {"Content-Length: 300000"}));
    for (std::size_t n = 0; is_there; ++n) {
      is_there = client.send(std::string(800, 'x'));  // 8000 bytes a second
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
  }};
  Download job = wanted({mirror.url("/x.deb")});
  job.times.stall = std::chrono::seconds{60};
  job.times.grace = std::chrono::seconds{1};
  const auto done = download(scratch.store, job, {});
  REQUIRE_FALSE(done);
  INFO(done.error().message());
  CHECK(contains(done.error().reason, "too slow: "));
  CHECK(contains(done.error().reason, " bytes in "));
}

TEST_CASE("silence is given up") {
  const Error error = refusal([](auto&, auto& client) { client.wait(); });
  CHECK(contains(error.reason, "too slow"));
}

TEST_CASE("a connection that breaks is taken up again") {
  const std::size_t half = content().size() / 2;
  const std::string broken = head("200 OK", {"Content-Length: 300000"}) + content().substr(0, half);
  const test::TestStore scratch;
  SECTION("where it broke") {
    Mirror mirror{[&](const MirrorRequest& request, const MirrorConnection& client) {
      client.send(request.range_start ? whole(content(), request.range_start) : broken);
    }};
    CHECK(download(scratch.store, wanted({mirror.url("/x")}), {}));
    REQUIRE(mirror.requests().size() == 2);
    CHECK(mirror.requests().back().range_start == half);
  }
  SECTION("from the beginning, where the server ignores the range") {
    int count = 0;
    Mirror mirror{[&](const MirrorRequest&, const MirrorConnection& client) {
      client.send(++count == 1 ? broken : whole(content()));
    }};
    CHECK(download(scratch.store, wanted({mirror.url("/x")}), {}));
    REQUIRE(mirror.requests().size() == 3);
    CHECK(mirror.requests()[1].range_start == half);
    CHECK_FALSE(mirror.requests()[2].range_start);
  }
  SECTION("not for ever") {
    const Error error = refusal([&](const MirrorRequest& request, const MirrorConnection& client) {
      const std::size_t start = request.range_start.value_or(0);
      client.send(whole(content(), request.range_start).substr(0, 1000 + (start > 0 ? 10 : 0)));
    });
    CHECK(contains(error.reason, "the connection broke after"));
    CHECK(contains(error.reason, "in 5 attempts"));
  }
  SECTION("but not with another part than the one asked for") {
    const Error error = refusal([&](const MirrorRequest& request, const MirrorConnection& client) {
      client.send(request.range_start ? whole(content(), half - 10) : broken);
    });
    CHECK_FALSE(error.reason.empty());
  }
  SECTION("with the wrong bytes: found") {
    const Error error = refusal([&](const MirrorRequest& request, const MirrorConnection& client) {
      std::string bytes = content();
      bytes.back() ^= 1;
      client.send(request.range_start ? whole(bytes, request.range_start) : broken);
    });
    CHECK(error.code == Errc::digest_mismatch);
  }
}

TEST_CASE("addresses are checked before anything is asked") {
  for (const char* url : {"file:///etc/passwd", "ftp://deb.example/x", "x.deb", "", "http://",
                          "http:///x", "http://deb.example/a b", "https://deb.example/\nurl x"}) {
    INFO(url);
    CHECK_FALSE(check_url(url));
    const test::TestStore scratch;
    const auto done = download(scratch.store, wanted({url}), {});
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::invalid_argument);
  }
  CHECK(check_url("https://deb.example:8080/debian/x%2B.deb?a=b"));
  const test::TestStore scratch;
  CHECK(download(scratch.store, wanted({}), {}).error().code == Errc::invalid_argument);
}

TEST_CASE("passwords in addresses are not shown") {
  CHECK(without_credentials("http://me:secret@deb.example/x") == "http://deb.example/x");
  CHECK(without_credentials("http://deb.example/x@y") == "http://deb.example/x@y");
  CHECK(without_credentials("http://a@b:c@deb.example") == "http://deb.example");
  const test::TestStore scratch;
  const auto done = download(scratch.store, wanted({"http://me:secret@127.0.0.1:9/x.deb"}), {});
  REQUIRE_FALSE(done);
  CHECK_FALSE(contains(done.error().message(), "secret"));
}

TEST_CASE("a proxy is asked for the whole address") {
  const test::TestStore scratch;
  Mirror proxy{
      [](const MirrorRequest&, const MirrorConnection& client) { client.send(whole(content())); }};
  Download job = wanted({"http://deb.invalid/debian/x.deb"});
  job.proxy.url = proxy.url("");
  CHECK(download(scratch.store, job, {}));
  REQUIRE(proxy.requests().size() == 1);
  CHECK(proxy.requests().front().path == "http://deb.invalid/debian/x.deb");
  job.proxy.except = "other.example,deb.invalid";
  const auto direct = download(scratch.store, job, {});
  REQUIRE_FALSE(direct);
  CHECK(contains(direct.error().reason, "resolve host"));
  CHECK(proxy.requests().size() == 1);
}

}  // namespace
}  // namespace emud
