#include "daemon/fetcher/job.h"

#include "support/catch.h"

namespace emud::fetcher {
namespace {

const std::string times = "connect-seconds 20\nstall-seconds 30\ngrace-seconds 60\n";

TEST_CASE("a job is read") {
  const auto exact = parse_job("url http://deb.example/x y\nsize 10\n" + times);
  REQUIRE(exact);
  CHECK(exact->url == "http://deb.example/x y");
  CHECK(exact->max_size == 10);
  CHECK(exact->is_exact);
  CHECK(exact->connect.count() == 20);
  CHECK(exact->stall.count() == 30);
  CHECK(exact->grace.count() == 60);
  const auto bounded = parse_job("max-size 5\nurl x\n" + times);
  REQUIRE(bounded);
  CHECK_FALSE(bounded->is_exact);
}

TEST_CASE("a job that is not whole is refused") {
  for (const std::string text :
       {"", "url x\n", "size 10\n", "url x\nsize 0\n", "url x\nsize -1\n", "url x\nsize 1x\n",
        "url x\nsize\n", "url x\nsize 99999999999999999999\n", "url x\nsize 1\nspeed 3\n", "\n"}) {
    INFO(text);
    CHECK_FALSE(parse_job(text + times));
  }
  CHECK_FALSE(parse_job("url x\nsize 1\n"));
}

}  // namespace
}  // namespace emud::fetcher
