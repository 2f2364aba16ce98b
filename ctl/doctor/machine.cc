#include "ctl/doctor/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/file.h"

namespace emud::ctl {

bool Caller::is_in(gid_t group) const {
  return gid == group || std::ranges::find(groups, group) != groups.end();
}

std::optional<std::string> Machine::read(const std::string& file) const {
  auto text = read_file(root + file);
  if (!text) return std::nullopt;
  while (text->ends_with('\n')) text->pop_back();
  return *std::move(text);
}

bool Machine::exists(const std::string& file) const {
  return ::access((root + file).c_str(), F_OK) == 0;
}

std::vector<std::string> Machine::list(const std::string& directory) const {
  auto names = list_directory(AT_FDCWD, root + directory);
  return names ? *std::move(names) : std::vector<std::string>{};
}

bool Machine::has_program(const std::string& name) const {
  std::istringstream folders{path};
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && ::access(fmt::format("{}{}/{}", root, folder, name).c_str(), X_OK) == 0)
      return true;
  }
  return false;
}

bool Machine::has_private_leases() const {
  if (daemon.status && daemon.status->private_scope) return true;
  return !rootless_failure;
}

bool Machine::has_host_leases() const {
  if (!daemon.status || !daemon.status->host_scope) return false;
  const auto number = group();
  return caller.is_root() || (number && caller.is_in(*number));
}

std::optional<gid_t> Machine::group() const {
  std::istringstream lines{read("/etc/group").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("emud:")) continue;
    const auto colon = line.find(':', 5);
    gid_t number = 0;
    if (colon == std::string::npos) continue;
    const char* const begin = line.data() + colon + 1;
    if (std::from_chars(begin, line.data() + line.size(), number).ec == std::errc{}) return number;
  }
  return std::nullopt;
}

std::vector<Entry> Machine::handlers() const {
  std::vector<Entry> entries;
  const std::string directory{binfmt_misc_mount};
  for (const auto& name : list(directory)) {
    if (name == "register" || name == "status") continue;
    const auto text = read(fmt::format("{}/{}", directory, name));
    if (!text) continue;
    if (auto entry = parse_entry(name, *text)) entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace emud::ctl
