#include "daemon/lease_cgroups.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/catch.h"
#include "support/folder.h"

namespace emud {
namespace {

// Directories of a disk: as with cgroups, rmdir(2) takes away those that have none within.
TEST_CASE("a lease's cgroup is made while its user's is being removed") {
  const test::Folder folder;
  const std::string user = folder.path() + "/user";
  const std::string lease = user + "/lease";
  std::atomic<bool> is_over = false;
  std::atomic<int> removed = 0;
  std::thread others{[&] {
    while (!is_over) {
      removed += ::rmdir(user.c_str()) == 0 ? 1 : 0;
      std::this_thread::sleep_for(std::chrono::microseconds{10});
    }
  }};
  std::string problems;
  for (int i = 0; i < 300; ++i) {
    const auto made = create_lease_cgroup(lease);
    if (!made) problems += made.error().message() + "\n";
    ::rmdir(lease.c_str());
  }
  is_over = true;
  others.join();
  CHECK(problems == "");
  CHECK(removed > 0);
}

}  // namespace
}  // namespace emud
