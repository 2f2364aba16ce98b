#include "daemon/users.h"

#include <dlfcn.h>
#include <pwd.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstring>
#include <optional>

#include "support/catch.h"

namespace {
constexpr uid_t whoever_asks = 4'000'000'321;
}  // namespace

// In place of libc's for this whole program: one more user, whose name is the process that asks.
extern "C" int getpwuid_r(uid_t user, passwd* entry, char* buffer, std::size_t size,
                          passwd** found) {
  if (user != whoever_asks) {
    const auto real = reinterpret_cast<decltype(&getpwuid_r)>(::dlsym(RTLD_NEXT, "getpwuid_r"));
    return real(user, entry, buffer, size, found);
  }
  std::strncpy(buffer, std::to_string(::getpid()).c_str(), size);
  *entry = passwd{};
  entry->pw_name = buffer;
  *found = entry;
  return 0;
}

namespace emud {
namespace {

Task<void> name_into(uid_t user, std::optional<Result<std::string>>& name) {
  name.emplace(co_await user_name(user));
}

std::string name_of_user(uid_t user) {
  asio::io_context loop{1};
  std::optional<Result<std::string>> name;
  asio::co_spawn(loop, name_into(user, name), asio::detached);
  loop.run();
  REQUIRE(name.has_value());
  REQUIRE(*name);
  return **name;
}

TEST_CASE("a user's name is the database's, or his number") {
  CHECK(name_of_user(0) == "root");
  CHECK(name_of_user(4'000'000'123) == "4000000123");
}

TEST_CASE("the user database, which may block, is asked in another process") {
  const std::string asked_in = name_of_user(whoever_asks);
  CHECK(std::stoi(asked_in) > 0);
  CHECK(asked_in != std::to_string(::getpid()));
}

}  // namespace
}  // namespace emud
