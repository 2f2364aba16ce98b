// What emud-fetcher cannot do once it is confined, tried by a process that is: as the user who runs
// the tests, root perhaps, so that nothing here is owed to file permissions.
#include "daemon/fetcher/confine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "support/catch.h"

namespace emud::fetcher {
namespace {

constexpr std::uint64_t max_file_size = 4096;
using Confine = std::function<Result<>()>;

const Confine downloading = [] { return confine_downloading(max_file_size); };
const Confine unpacking = [] { return confine_unpacking(); };

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

// What the attempt returns, an errno or 0, in a process that is confined. 200 where it cannot be.
int confined(const Confine& confine, const std::function<int()>& attempt) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(confine() ? attempt() : 200);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int errno_of(long result) {
  return result < 0 ? errno : 0;
}

// A directory that stands for the state directory, with a store and a socket that listens.
class Surroundings {
 public:
  Surroundings() : directory_("/tmp/emud-test-XXXXXX") {
    REQUIRE(::mkdtemp(directory_.data()) != nullptr);
    std::filesystem::create_directory(store());
    std::ofstream{emulator()} << "emulator";
    socket_ = UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_un name = socket_name();
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(::listen(socket_.get(), 1) == 0);
  }
  ~Surroundings() { std::filesystem::remove_all(directory_); }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  [[nodiscard]] std::string store() const { return directory_ + "/store"; }
  [[nodiscard]] std::string emulator() const { return store() + "/emulator"; }

  [[nodiscard]] sockaddr_un socket_name() const {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, (directory_ + "/socket").c_str(), sizeof name.sun_path - 1);
    return name;
  }

  [[nodiscard]] int connect() const {
    const UniqueFd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!client) return errno;
    const sockaddr_un name = socket_name();
    return errno_of(::connect(client.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name));
  }

 private:
  std::string directory_;
  UniqueFd socket_;
};

int try_open(const std::string& path, int flags) {
  const UniqueFd file{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
  return file ? 0 : errno;
}

TEST_CASE("a confined process reaches neither the store nor the socket") {
  const Surroundings around;
  REQUIRE(around.connect() == 0);
  REQUIRE(try_open(around.emulator(), O_RDONLY) == 0);
  for (const Confine& confine : {downloading, unpacking}) {
    CHECK(confined(confine, [&] { return around.connect(); }) == EAFNOSUPPORT);
    // A pair of datagram sockets could be connected to another address: unix(7).
    int pair[2];
    CHECK(confined(confine, [&] {
            return errno_of(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
          }) == EPERM);
    if (!has_landlock()) continue;
    CHECK(confined(confine, [&] { return try_open(around.emulator(), O_RDONLY); }) != 0);
    CHECK(confined(confine, [&] { return try_open(around.emulator(), O_WRONLY); }) != 0);
    CHECK(confined(confine, [&] { return try_open(around.store(), O_RDONLY | O_DIRECTORY); }) != 0);
    CHECK(confined(confine,
                   [&] { return try_open(around.store() + "/new", O_WRONLY | O_CREAT); }) != 0);
    CHECK(confined(confine, [&] { return errno_of(::unlink(around.emulator().c_str())); }) != 0);
    CHECK(confined(confine, [&] {
            return errno_of(::rename(around.emulator().c_str(), (around.store() + "/x").c_str()));
          }) != 0);
    CHECK(confined(confine, [&] {
            return errno_of(::mkdir((around.store() + "/directory").c_str(), 0700));
          }) != 0);
    CHECK(confined(confine, [&] {
            return errno_of(::link(around.emulator().c_str(), (around.store() + "/x").c_str()));
          }) != 0);
    CHECK(confined(confine, [] { return try_open("/etc/passwd", O_RDONLY); }) != 0);
    CHECK(confined(confine, [] { return try_open("/proc/self/mem", O_RDWR); }) != 0);
  }
  CHECK_FALSE(std::filesystem::exists(around.store() + "/new"));
  CHECK(std::filesystem::exists(around.emulator()));
}

TEST_CASE("a confined process starts nothing and reaches into no other process") {
  const pid_t parent = ::getpid();
  const std::string environment = "/proc/" + std::to_string(parent) + "/environ";
  for (const Confine& confine : {downloading, unpacking}) {
    CHECK(confined(confine, [] {
            ::execl("/bin/true", "true", nullptr);
            return errno;
          }) == EPERM);
    CHECK(confined(confine, [] {
            const pid_t child = ::fork();
            if (child == 0) ::_exit(0);
            return errno_of(child);
          }) == EPERM);
    CHECK(confined(confine, [&] { return errno_of(::ptrace(PTRACE_ATTACH, parent, 0, 0)); }) ==
          EPERM);
    CHECK(confined(confine, [&] { return errno_of(::kill(parent, 0)); }) == EPERM);
    CHECK(confined(confine, [&] { return errno_of(::syscall(SYS_tgkill, parent, parent, 0)); }) ==
          EPERM);
    CHECK(confined(confine, [&] { return errno_of(::syscall(SYS_pidfd_open, parent, 0)); }) ==
          EPERM);
    CHECK(confined(confine, [&] {
            rlimit limit{};
            return errno_of(::prlimit(parent, RLIMIT_NOFILE, nullptr, &limit));
          }) == EPERM);
    CHECK(confined(confine, [] { return errno_of(::syscall(SYS_unshare, 0x10000000)); }) == EPERM);
    CHECK(confined(confine, [] { return errno_of(::syscall(SYS_io_uring_setup, 1, nullptr)); }) ==
          EPERM);
    CHECK(confined(confine, [] { return errno_of(::syscall(SYS_bpf, 0, nullptr, 0)); }) == EPERM);
    CHECK(confined(confine, [] { return errno_of(::prctl(PR_SET_PDEATHSIG, 0)); }) == EPERM);
    CHECK(confined(confine, [] { return errno_of(::prctl(PR_SET_NAME, "other")); }) == 0);
    CHECK(confined(confine, [] { return errno_of(::shmget(IPC_PRIVATE, 1, 0600)); }) == EPERM);
    if (has_landlock()) {
      CHECK(confined(confine, [&] { return try_open(environment, O_RDONLY); }) != 0);
    }
    CHECK(confined(confine, [] {
            std::raise(SIGUSR1);
            return 0;
          }) == 1000 + SIGUSR1);  // to itself it may
  }
}

sockaddr_in loopback(in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = port;
  return address;
}

TEST_CASE("a confined download may connect and resolve, and not listen") {
  const UniqueFd server{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address = loopback(0);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(server.get(), 8) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const auto connect = [&] {
    const UniqueFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!client) return errno;
    return errno_of(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  };
  CHECK(confined(downloading, connect) == 0);
  CHECK(confined(unpacking, connect) == EAFNOSUPPORT);
  CHECK(confined(downloading, [] {
          const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
          return errno_of(::listen(socket.get(), 1));
        }) == EPERM);
  CHECK(confined(downloading, [] {
          const UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)};
          return socket ? 0 : errno;
        }) == EAFNOSUPPORT);
  CHECK(confined(downloading, [] {
          addrinfo* found = nullptr;
          int result = -1;
          std::thread resolver{[&] { result = ::getaddrinfo("localhost", "80", nullptr, &found); }};
          resolver.join();
          return result == 0 && found != nullptr ? 0 : 1;
        }) == 0);
}

TEST_CASE("a confined process writes what it was given, within its bound") {
  char path[] = "/tmp/emud-test-XXXXXX";
  const UniqueFd file{::mkostemp(path, O_CLOEXEC)};
  REQUIRE(file);
  ::unlink(path);
  const std::string bytes(max_file_size, 'x');
  CHECK(confined(downloading, [&] {
          return ::write(file.get(), bytes.data(), bytes.size()) ==
                         static_cast<ssize_t>(bytes.size())
                     ? 0
                     : 1;
        }) == 0);
  CHECK(confined(downloading, [&] { return errno_of(::write(file.get(), "x", 1)); }) ==
        1000 + SIGXFSZ);
  CHECK(confined(downloading, [&] { return errno_of(::ftruncate(file.get(), 0)); }) == 0);
}

TEST_CASE("the kernel says the same of a confined process") {
  for (const Confine& confine : {downloading, unpacking}) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reading{ends[0]};
    UniqueFd writing{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
      const UniqueFd own{::open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC)};
      char text[8192];
      const ssize_t before = confine() ? ::read(own.get(), text, sizeof text) : 0;
      ::_exit(::write(writing.get(), text, static_cast<std::size_t>(before)) == before ? 0 : 1);
    }
    writing.reset();
    std::string text(8192, '\0');
    const ssize_t count = ::read(reading.get(), text.data(), text.size());
    int ended = 0;
    REQUIRE(::waitpid(child, &ended, 0) == child);
    REQUIRE(count > 0);
    text.resize(static_cast<std::size_t>(count));
    INFO(text);
    CHECK(text.find("NoNewPrivs:\t1") != std::string::npos);
    CHECK(text.find("Seccomp:\t2") != std::string::npos);
  }
}

}  // namespace
}  // namespace emud::fetcher
