#include "daemon/users.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "daemon/worker.h"

namespace emud {
namespace {

using namespace std::chrono_literals;

constexpr auto database_limit = 10s;
constexpr std::size_t file_limit = 16 << 20;

// What getpwuid_r(3) has of a user; nullptr: nothing.
struct UserEntry {
  explicit UserEntry(uid_t user) {
    if (::getpwuid_r(user, &entry, buffer, sizeof buffer, &found) != 0) found = nullptr;
  }
  UserEntry(const UserEntry&) = delete;
  UserEntry& operator=(const UserEntry&) = delete;

  passwd entry{};
  passwd* found = nullptr;
  char buffer[16384];
};

std::string name_by_database(uid_t user) {
  const UserEntry entry{user};
  return entry.found != nullptr ? entry.found->pw_name : std::to_string(user);
}

bool is_member_by_database(uid_t user, const std::string& group) {
  ::group group_entry{};
  ::group* group_found = nullptr;
  std::vector<char> group_buffer(1 << 20);  // all members' names are in it
  if (::getgrnam_r(group.c_str(), &group_entry, group_buffer.data(), group_buffer.size(),
                   &group_found) != 0 ||
      group_found == nullptr) {
    return false;
  }
  const UserEntry entry{user};
  if (entry.found == nullptr) return false;
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(entry.found->pw_name, entry.found->pw_gid, groups.data(), &count) < 0) {
    if (static_cast<std::size_t>(count) <= groups.size()) return false;
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::ranges::find(groups, group_found->gr_gid) != groups.end();
}

// work: in a helper process. action: for the error.
Task<Result<std::string>> ask_database(Work work, std::string_view action, uid_t user) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer limit{co_await asio::this_coro::executor, database_limit};
  auto outcome = co_await (run_worker(std::move(work)) || limit.async_wait(asio::use_awaitable));
  if (outcome.index() == 0) co_return std::get<0>(std::move(outcome));
  co_return fail(Errc::timed_out, action, fmt::format("user {}", user),
                 "the system's user database does not answer",
                 "Look at nsswitch.conf(5) and the services it names (`getent passwd`, "
                 "`getent group`)");
}

struct AccountLine {
  std::string name;
  std::vector<std::uint32_t> numbers;  // of the fields behind the name; 0 for those that are none
};

// The lines of passwd(5), group(5) and subuid(5): fields with colons between them.
template <class Visit>
void for_each_entry(const char* file, const Visit& visit) {
  const auto text = read_file(file, file_limit);
  if (!text) return;
  std::istringstream lines{*text};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields{line};
    AccountLine entry;
    std::getline(fields, entry.name, ':');
    for (std::string field; entry.numbers.size() < 2 && std::getline(fields, field, ':');) {
      std::uint32_t number = 0;
      std::from_chars(field.data(), field.data() + field.size(), number);
      entry.numbers.push_back(number);
    }
    if (entry.numbers.size() == 2 && !visit(entry)) return;
  }
}

}  // namespace

Task<Result<bool>> is_member(uid_t user, std::string group) {
  Work work = [user, group]() -> Result<std::string> {
    return is_member_by_database(user, group) ? "yes" : "no";
  };
  const auto answer = co_await ask_database(std::move(work), "look up the groups of", user);
  if (!answer) co_return std::unexpected(answer.error());
  co_return *answer == "yes";
}

Task<Result<std::string>> user_name(uid_t user) {
  Work work = [user]() -> Result<std::string> { return name_by_database(user); };
  co_return co_await ask_database(std::move(work), "look up the name of", user);
}

std::string display_name(uid_t user) {
  std::string name = std::to_string(user);
  for_each_entry("/etc/passwd", [&](const AccountLine& entry) {
    if (entry.numbers[1] != user) return true;
    name = entry.name;
    return false;
  });
  return name;
}

uid_t payer_of(uid_t user) {
  constexpr uid_t first_subordinate = 65536;  // SUB_UID_MIN of login.defs(5) is 100000
  if (user < first_subordinate) return user;
  std::string owner;
  for_each_entry("/etc/subuid", [&](const AccountLine& entry) {  // owner:first:count
    const auto first = entry.numbers[0];
    if (user < first || user - first >= entry.numbers[1]) return true;
    owner = entry.name;
    return false;
  });
  uid_t payer = user;
  for_each_entry("/etc/passwd", [&](const AccountLine& entry) {
    if (entry.name != owner && std::to_string(entry.numbers[1]) != owner) return true;
    payer = entry.numbers[1];
    return false;
  });
  return payer;
}

gid_t local_group(const std::string& group) {
  auto number = static_cast<gid_t>(-1);
  for_each_entry("/etc/group", [&](const AccountLine& entry) {
    if (entry.name != group) return true;
    number = entry.numbers[1];
    return false;
  });
  return number;
}

}  // namespace emud
