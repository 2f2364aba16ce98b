// The process that downloads: what the kernel says of it while it does, and what is left when it,
// or whoever asked for the download, is killed.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "emulator/download.h"
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

// The emud-fetcher that is a child of that process.
std::optional<pid_t> fetcher_of(pid_t parent) {
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    const auto status = read_file(entry.path().string() + "/status");
    if (!status || !contains(*status, "Name:\temud-fetcher\n")) continue;
    if (!contains(*status, fmt::format("PPid:\t{}\n", parent))) continue;
    return static_cast<pid_t>(std::stol(entry.path().filename().string()));
  }
  return std::nullopt;
}

Download wanted(const std::string& url) {
  return Download{.name = "test.deb",
                  .urls = {url},
                  .size = 100'000,
                  .digest = test::value_of(Digest::of_bytes({})),
                  .times = {}};
}

void send_half(const MirrorConnection& client) {
  client.send(head("200 OK", {"Content-Length: 100000"}) + std::string(50'000, 'x'));
}

TEST_CASE("the kernel says what the running fetcher may not do; killed, it is told") {
  const pid_t self = ::getpid();
  std::string status, command, limits;
  std::vector<std::string> opened;
  Mirror mirror{[&](const MirrorRequest&, const MirrorConnection& client) {
    send_half(client);
    const auto fetcher = fetcher_of(self);
    if (!fetcher) return;
    const std::string process = fmt::format("/proc/{}", *fetcher);
    status = read_file(process + "/status").value_or("");
    command = read_file(process + "/cmdline").value_or("");
    limits = read_file(process + "/limits").value_or("");
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{process + "/fd", error}) {
      opened.push_back(std::filesystem::read_symlink(entry.path(), error).string());
    }
    ::kill(*fetcher, SIGKILL);
  }};
  const test::TestStore scratch;
  const auto done = download(scratch.store, wanted(mirror.url("/secret/x")), {});
  REQUIRE_FALSE(done);
  CHECK(contains(done.error().reason, "killed by signal 9"));
  CHECK(scratch.names().empty());
  CHECK_FALSE(fetcher_of(self));

  INFO(status);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CHECK(contains(status, fmt::format("{}:\t0000000000000000\n", set)));
  }
  CHECK(contains(status, "NoNewPrivs:\t1\n"));
  CHECK(contains(status, "Seccomp:\t2\n"));
  if (::geteuid() == 0) {
    CHECK_FALSE(contains(status, "Uid:\t0\t"));
    CHECK(contains(status, "CapBnd:\t0000000000000000\n"));
    CHECK(contains(status, "Groups:\t \n"));
    // The kernel shows root what a process that is not dumpable has open.
    const auto is_in_store = [&](const std::string& path) {
      return path.starts_with(scratch.directory.path());
    };
    CHECK(std::ranges::count_if(opened, is_in_store) == 1);  // the unnamed file, and no directory
  }
  CHECK_FALSE(contains(command, "secret"));  // everybody may read it
  CHECK(contains(limits, "Max core file size        0 "));
  CHECK(contains(limits, "Max file size             100000 "));
}

// One end for each of the two processes of a test.
struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reading = UniqueFd{ends[0]};
    writing = UniqueFd{ends[1]};
  }
  UniqueFd reading;
  UniqueFd writing;
};

TEST_CASE("the fetcher dies with whoever asked for the download, and its file with it") {
  const test::TestStore scratch;
  Pipe address;
  Pipe begun;
  // Before the mirror's thread: a fork(2) copies what locks other threads hold at that moment.
  const pid_t asker = ::fork();
  REQUIRE(asker >= 0);
  if (asker == 0) {
    address.writing.reset();
    begun.reading.reset();
    const auto url = read_all(address.reading.get(), "a pipe", 100);
    if (!url) ::_exit(1);
    (void)download(scratch.store, wanted(*url), [&](const DownloadProgress& progress) {
      if (progress.done > 0) (void)write_all(begun.writing.get(), "a pipe", "x");
    });
    ::_exit(0);
  }
  begun.writing.reset();  // the end of the asker is the end of the pipe
  Mirror mirror{[](const MirrorRequest&, const MirrorConnection& client) {
    send_half(client);
    client.wait();
  }};
  REQUIRE(write_all(address.writing.get(), "a pipe", mirror.url("/x")));
  address.writing.reset();
  char byte = 0;
  REQUIRE(::read(begun.reading.get(), &byte, 1) == 1);  // it has begun
  const auto fetcher = fetcher_of(asker);
  REQUIRE(fetcher);
  ::kill(asker, SIGKILL);
  REQUIRE(::waitpid(asker, nullptr, 0) == asker);
  for (int tries = 0; tries < 500 && std::filesystem::exists(fmt::format("/proc/{}", *fetcher));
       ++tries) {
    const auto state = read_file(fmt::format("/proc/{}/status", *fetcher));
    if (!state || contains(*state, "State:\tZ")) break;  // dead; its new parent has yet to reap it
    ::usleep(20'000);
  }
  const auto state = read_file(fmt::format("/proc/{}/status", *fetcher));
  CHECK((!state || contains(*state, "State:\tZ")));
  CHECK(scratch.names().empty());
}

}  // namespace
}  // namespace emud
