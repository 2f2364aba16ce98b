#include "ctl/doctor/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/file.h"

namespace emud::ctl {

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

std::optional<std::vector<std::string>> Machine::record(const std::string& file,
                                                        const std::string& name) const {
  std::istringstream lines{read(file).value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ':')) continue;
    std::vector<std::string> fields;
    std::istringstream rest{line};
    for (std::string field; std::getline(rest, field, ':');) fields.push_back(std::move(field));
    return fields;
  }
  return std::nullopt;
}

std::string Machine::group_name() const {
  return daemon.status ? daemon.status->policy.group : "emud";
}

bool Machine::is_administrator() const {
  if (caller.is_root()) return true;
  const auto group = record("/etc/group", group_name());  // name:password:number:members
  if (!group || group->size() < 3) return false;
  const std::string& number = (*group)[2];
  std::istringstream members{group->size() > 3 ? (*group)[3] : ""};
  for (std::string member; std::getline(members, member, ',');) {
    if (member == caller.name) return true;
  }
  if (const auto user = record("/etc/passwd", caller.name); user && user->size() > 3)
    return (*user)[3] == number;
  return std::ranges::any_of(caller.groups,
                             [&](gid_t one) { return std::to_string(one) == number; });
}

bool Machine::has_seccomp_filter() const {
  std::istringstream lines{read("/proc/self/status").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Seccomp:")) return !line.ends_with("\t0");
  }
  return false;
}

bool Machine::has_private_leases_of_emud() const {
  return daemon.status && daemon.status->private_scope && !has_seccomp_filter() &&
         (daemon.status->policy.private_for_everyone || is_administrator());
}

bool Machine::has_private_leases() const {
  return has_private_leases_of_emud() || !rootless_failure;
}

bool Machine::has_host_leases() const {
  return daemon.status && daemon.status->host_scope && !has_seccomp_filter() && is_administrator();
}

bool Machine::may_fetch() const {
  return (!daemon.status || daemon.status->policy.fetch) &&
         std::ranges::any_of(catalog.packages(), [](const CatalogPackage& package) {
           return package.host == host_architecture().name;
         });
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
