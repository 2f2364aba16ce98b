#include "daemon/worker.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <vector>

#include "support/catch.h"

namespace emud {
namespace {

struct Heard {
  std::vector<std::string> reports;
  Result<std::string> result = std::unexpected(Error{});
};

Task<void> hear(Heard& heard, std::string text) {
  heard.reports.push_back(std::move(text));
  co_return;
}

Task<void> run_and_hear(ReportingWork work, Heard& heard) {
  ReportListener listener = [&heard](std::string text) { return hear(heard, std::move(text)); };
  heard.result = co_await run_reporting_worker(std::move(work), std::move(listener));
}

Heard run(const ReportingWork& work) {
  Heard heard;
  asio::io_context loop{1};
  asio::co_spawn(loop, run_and_hear(work, heard), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  loop.run();
  return heard;
}

TEST_CASE("what a worker reports arrives in order, before its result") {
  constexpr int count = 5000;  // more than a socket holds at once
  const Heard heard = run([](const Report& report) -> Result<std::string> {
    for (int i = 0; i < count; ++i) report(std::to_string(i) + std::string(200, ' '));
    return "done";
  });
  REQUIRE(heard.result);
  CHECK(*heard.result == "done");
  REQUIRE(heard.reports.size() == count);
  CHECK(heard.reports.front().starts_with("0 "));
  CHECK(heard.reports.back().starts_with("4999 "));
}

TEST_CASE("a report that looks like a result is a report") {
  const Heard heard = run([](const Report& report) -> Result<std::string> {
    report("=done");
    report("");
    return "+not a report";
  });
  CHECK(heard.reports == std::vector<std::string>{"=done", ""});
  REQUIRE(heard.result);
  CHECK(*heard.result == "+not a report");
}

TEST_CASE("an error comes back whole, after reports") {
  const Heard heard = run([](const Report& report) -> Result<std::string> {
    report("tried");
    return fail(Errc::digest_mismatch, "verify", "x.deb", "it is not so", "Try another");
  });
  CHECK(heard.reports.size() == 1);
  REQUIRE_FALSE(heard.result);
  CHECK(heard.result.error().code == Errc::digest_mismatch);
  CHECK(heard.result.error().hint == "Try another");
}

TEST_CASE("a worker that dies is an error") {
  const Heard heard = run([](const Report&) -> Result<std::string> { ::_exit(3); });
  REQUIRE_FALSE(heard.result);
  CHECK(heard.result.error().code == Errc::internal);
}

}  // namespace
}  // namespace emud
