#include "base/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "support/catch.h"

namespace emud {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/emud-unit-XXXXXX";
    path_ = ::mkdtemp(name);
    fd_ = *open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
  }
  ~Folder() { (void)remove_tree(AT_FDCWD, path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::string path_;
  UniqueFd fd_;
};

TEST_CASE("a replaced file has the new content and mode, and no temporary stays") {
  const Folder folder;
  REQUIRE(replace_file(folder.fd(), "a", "one", 0600));
  REQUIRE(replace_file(folder.fd(), "a", "two", 0644, Durability::until_reboot));
  CHECK(*read_file(folder.path() + "/a") == "two");
  struct stat info{};
  REQUIRE(::stat((folder.path() + "/a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0644);
  CHECK(*list_directory(AT_FDCWD, folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("a file that cannot be replaced leaves no temporary") {
  const Folder folder;
  REQUIRE(::mkdir((folder.path() + "/a").c_str(), 0755) == 0);
  REQUIRE(::mkdir((folder.path() + "/a/b").c_str(), 0755) == 0);
  const auto result = replace_file(folder.fd(), "a", "x", 0644);
  REQUIRE_FALSE(result);
  CHECK(result.error().object == "a");
  CHECK(*list_directory(AT_FDCWD, folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("who is killed while he writes a file leaves nothing of it") {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_DFL);  // setrlimit(2): it ends who writes more
    ::_exit(replace_file(folder.fd(), "a", std::string(5000, 'x'), 0644) ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(list_directory(AT_FDCWD, folder.path())->empty());
}

TEST_CASE("a file larger than the limit is refused with the limit") {
  const Folder folder;
  REQUIRE(replace_file(folder.fd(), "big", std::string(5000, 'x'), 0644));
  const auto text = read_file(folder.path() + "/big", 4999);
  REQUIRE_FALSE(text);
  CHECK(text.error().code == Errc::limit_exceeded);
  CHECK(text.error().message().find("4999") != std::string::npos);
  CHECK(read_file(folder.path() + "/big", 5000)->size() == 5000);
}

TEST_CASE("remove_tree removes what is below and does not follow symbolic links") {
  const Folder folder;
  const Folder outside;
  REQUIRE(replace_file(outside.fd(), "kept", "x", 0644));
  REQUIRE(make_directories(folder.path() + "/a/b/c", 0755));
  REQUIRE(::symlink(outside.path().c_str(), (folder.path() + "/a/b/link").c_str()) == 0);
  REQUIRE(remove_tree(folder.fd(), "a"));
  CHECK(list_directory(AT_FDCWD, folder.path())->empty());
  CHECK(*read_file(outside.path() + "/kept") == "x");
  CHECK(remove_tree(folder.fd(), "a"));  // gone already
}

TEST_CASE("make_directories makes the missing ones and takes those that are there") {
  const Folder folder;
  REQUIRE(make_directories(folder.path() + "/x/y", 0755));
  CHECK(make_directories(folder.path() + "/x/y", 0755));
  REQUIRE(replace_file(folder.fd(), "file", "", 0644));
  const auto blocked = make_directories(folder.path() + "/file/below", 0755);
  REQUIRE_FALSE(blocked);
  CHECK(blocked.error().object.find("/file") != std::string::npos);

  const auto none = make_directories("/proc/emud-test/below", 0755);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::system);
  CHECK(none.error().message() == "create directory /proc/emud-test: No such file or directory");
}

TEST_CASE("a tree goes whose owner took the rights on it from himself") {
  const Folder folder;
  const std::string top = folder.path() + "/a";
  for (const char* part : {"", "/b", "/b/c"}) REQUIRE(::mkdir((top + part).c_str(), 0700) == 0);
  const UniqueFd opened = *open_at(AT_FDCWD, top, O_RDONLY | O_DIRECTORY);
  REQUIRE(replace_file(opened.get(), "file", "x", 0400));
  constexpr uid_t nobody = 65534;
  const bool is_root = ::geteuid() == 0;
  if (is_root) {
    for (const char* part : {"/file", "/b/c", "/b", ""})
      REQUIRE(::chown((top + part).c_str(), nobody, nobody) == 0);
    REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  }
  for (const auto& [part, mode] : {std::pair{"/b/c", 0000}, {"/b", 0555}, {"", 0300}})
    REQUIRE(::chmod((top + part).c_str(), static_cast<mode_t>(mode)) == 0);
  if (is_root) REQUIRE(::seteuid(nobody) == 0);
  const auto removed = remove_tree(AT_FDCWD, top);
  if (is_root) REQUIRE(::seteuid(0) == 0);
  REQUIRE(removed);
  CHECK(list_directory(AT_FDCWD, folder.path())->empty());
}

}  // namespace
}  // namespace emud
