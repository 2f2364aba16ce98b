#include "daemon/fetcher/members.h"

#include <fmt/format.h>

#include <algorithm>

namespace emud::fetcher {
namespace {

constexpr std::size_t max_path_size = 1024;

Failure refuse_member(std::string_view path, std::string_view reason) {
  return fail(Errc::bad_package, "unpack", path, reason);
}

Result<> check_type(archive_entry* entry, std::string_view path) {
  if (archive_entry_hardlink(entry) != nullptr) return refuse_member(path, "it is a hard link");
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK) return {};
  return refuse_member(path, "it is neither a file nor a directory nor a symbolic link");
}

}  // namespace

Result<std::string> member_path(std::string_view path) {
  if (path.size() > max_path_size) {
    return refuse_member(path.substr(0, 100), "the member's path is too long");
  }
  if (path.starts_with('/')) return refuse_member(path, "the member's path is absolute");
  std::string clean;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part == "..") return refuse_member(path, "the member's path has '..' in it");
    if (part.empty() || part == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

Result<std::string> Members::add(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) return refuse_member("data archive", "a member's name is not text");
  EMUD_ASSIGN(std::string path, member_path(name));
  EMUD_TRY(check_type(entry, path));
  const bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
  if (path.empty() && !is_directory) return refuse_member("data archive", "a member has no name");
  EMUD_TRY(check_place(path, is_directory));
  if (!is_directory_.emplace(path, is_directory).second) {
    return refuse_member(path, "the member comes twice");
  }
  return path;
}

Result<> Members::check_place(const std::string& path, bool is_directory) const {
  for (auto end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const auto parent = is_directory_.find(path.substr(0, end));
    if (parent == is_directory_.end() || parent->second) continue;
    return refuse_member(path,
                         fmt::format("it is below '{}', which is not a directory", parent->first));
  }
  if (is_directory) return {};
  const auto child = is_directory_.lower_bound(path + '/');
  if (child == is_directory_.end() || !child->first.starts_with(path + '/')) return {};
  return refuse_member(path,
                       fmt::format("it is not a directory, and '{}' is below it", child->first));
}

}  // namespace emud::fetcher
