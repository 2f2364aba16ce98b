#include "emulator/catalog_parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "emulator/catalog_json.h"
#include "emulator/files.h"
#include "emulator/version.h"

namespace emud {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// What file names of packages and their members are made of: nothing that a URL, a shell or a
// terminal would take for something else.
bool is_plain(std::string_view text, std::string_view others) {
  return std::ranges::all_of(
      text, [&](char c) { return is_letter_or_digit(c) || others.find(c) != others.npos; });
}

// A relative path without "." and ".." and empty parts.
bool is_plain_path(std::string_view path) {
  if (!is_plain(path, "+.~_:-/")) return false;
  for (;;) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

// "20251115T000000Z"
bool is_timestamp(std::string_view text) {
  constexpr std::string_view form = "00000000T000000Z";
  return std::ranges::equal(
      text, form, [](char c, char wanted) { return wanted == '0' ? is_digit(c) : c == wanted; });
}

// A catalog has hundreds of digests and architectures: neither is made into more than it is here
// for.
Result<std::string> digest_of(const JsonObject& object) {
  constexpr std::string_view digits = "0123456789abcdef";
  EMUD_ASSIGN(std::string text, object.text("sha256"));
  if (text.size() == 64 && text.find_first_not_of(digits) == std::string::npos) return text;
  return object.refuse("sha256", "it is not 64 hexadecimal digits in lower case");
}

Result<std::string> version_of(const JsonObject& object, std::string_view name) {
  EMUD_ASSIGN(std::string text, object.optional_text(name));
  if (!text.empty() && !is_version(text)) {
    return object.refuse(name, "it is not a version such as 10.0.13");
  }
  return text;
}

Result<const Architecture*> architecture_of(const JsonObject& object, std::string_view name) {
  EMUD_ASSIGN(const std::string text, object.text(name));
  const auto all = architectures();  // ordered by name
  const auto found = std::ranges::lower_bound(all, std::string_view{text}, {}, &Architecture::name);
  if (found != all.end() && found->name == text) return &*found;
  return object.refuse(
      name, fmt::format("'{}' is not an architecture's name in QEMU", text.substr(0, 64)));
}

Result<std::string> path_of(const JsonObject& object, std::string_view name) {
  EMUD_ASSIGN(std::string path, object.text(name));
  if (is_plain_path(path)) return path;
  return object.refuse(name, "it is not a plain relative path");
}

Result<CatalogMember> read_member(const JsonObject& object) {
  EMUD_TRY(object.allow_only({"architecture", "path", "sha256"}));
  CatalogMember member{};
  EMUD_ASSIGN(member.architecture, architecture_of(object, "architecture"));
  EMUD_ASSIGN(member.path, path_of(object, "path"));
  EMUD_ASSIGN(member.sha256, digest_of(object));
  return member;
}

Result<std::vector<CatalogMember>> read_members(const JsonObject& package) {
  EMUD_ASSIGN(const auto objects, package.objects("members"));
  if (objects.empty()) return package.refuse("members", "there is none");
  std::vector<CatalogMember> members;
  for (const JsonObject& object : objects) {
    EMUD_ASSIGN(auto member, read_member(object));
    if (std::ranges::find(members, member.architecture, &CatalogMember::architecture) !=
        members.end()) {
      return object.refuse("architecture", "the package has it already");
    }
    if (std::ranges::find(members, member.path, &CatalogMember::path) != members.end()) {
      return object.refuse("path", "the package has it already");
    }
    members.push_back(std::move(member));
  }
  return members;
}

// Where the package is.
Result<> read_location(const JsonObject& object, CatalogPackage& package) {
  EMUD_ASSIGN(package.file, object.text("file"));
  if (!is_plain_path(package.file) || package.file.find('/') != std::string::npos ||
      !package.file.ends_with(".deb")) {
    return object.refuse("file", "it is not the plain name of a .deb file");
  }
  EMUD_ASSIGN(package.pool_path, path_of(object, "pool_path"));
  if (package.pool_path.substr(package.pool_path.rfind('/') + 1) != package.file) {
    return object.refuse("pool_path", "it does not end with the name of the file");
  }
  EMUD_ASSIGN(package.snapshot, object.optional_text("snapshot"));
  if (!package.snapshot.empty() && !is_timestamp(package.snapshot)) {
    return object.refuse("snapshot", "it is not a time such as 20251115T000000Z");
  }
  return {};
}

Result<CatalogPackage> read_package(const JsonObject& object) {
  EMUD_TRY(object.allow_only({"host", "version", "package", "package_version", "file", "pool_path",
                              "snapshot", "size", "sha256", "members"}));
  CatalogPackage package{};
  EMUD_ASSIGN(const Architecture* host, architecture_of(object, "host"));
  package.host = host->name;
  EMUD_TRY(object.text("version"));
  EMUD_ASSIGN(package.version, version_of(object, "version"));
  EMUD_ASSIGN(package.package, object.text("package"));
  EMUD_ASSIGN(package.package_version, object.text("package_version"));
  if (!is_plain(package.package, "+.-")) return object.refuse("package", "it is not plain");
  if (!is_plain(package.package_version, "+.~:-")) {
    return object.refuse("package_version", "it is not plain");
  }
  EMUD_TRY(read_location(object, package));
  EMUD_ASSIGN(package.size, object.number("size"));
  if (package.size > max_input_size) {
    return object.refuse("size", fmt::format("it is larger than {} MiB", max_input_size >> 20));
  }
  EMUD_ASSIGN(package.sha256, digest_of(object));
  EMUD_ASSIGN(package.members, read_members(object));
  return package;
}

Result<CatalogNote> read_note(const JsonObject& object) {
  EMUD_TRY(object.allow_only({"from", "before", "architecture", "effect", "text", "instead"}));
  CatalogNote note;
  EMUD_ASSIGN(note.from, version_of(object, "from"));
  EMUD_ASSIGN(note.before, version_of(object, "before"));
  if (note.from.empty() && note.before.empty()) {
    return object.refuse({}, "it needs \"from\", \"before\" or both");
  }
  if (!note.from.empty() && !note.before.empty() && compare_versions(note.from, note.before) >= 0) {
    return object.refuse("before", "it is not after \"from\"");
  }
  EMUD_ASSIGN(const std::string architecture, object.optional_text("architecture"));
  if (!architecture.empty()) {
    EMUD_ASSIGN(note.architecture, architecture_of(object, "architecture"));
  }
  EMUD_ASSIGN(const std::string effect, object.text("effect"));
  if (effect != to_string(Effect::slow) && effect != to_string(Effect::broken)) {
    return object.refuse("effect", "it is neither \"slow\" nor \"broken\"");
  }
  note.effect = effect == to_string(Effect::slow) ? Effect::slow : Effect::broken;
  EMUD_ASSIGN(note.text, object.text("text"));
  EMUD_ASSIGN(note.instead, object.text("instead"));
  return note;
}

}  // namespace

Result<CatalogFile> parse_catalog(std::string_view text, std::string_view path) {
  EMUD_ASSIGN(const auto value, parse_json_object(text, path));
  const JsonObject whole{value, path, {}};
  EMUD_TRY(whole.allow_only({"version", "packages", "notes"}));
  EMUD_ASSIGN(const auto version, whole.number("version"));
  if (version != 1) return whole.refuse("version", "this emud knows version 1 only");
  CatalogFile file;
  std::set<std::string> seen;  // host, version and architecture; digests of packages
  EMUD_ASSIGN(const auto packages, whole.optional_objects("packages"));
  for (const JsonObject& object : packages) {
    EMUD_ASSIGN(auto package, read_package(object));
    if (!seen.insert(package.sha256).second) return object.refuse("sha256", "it comes twice");
    for (const CatalogMember& member : package.members) {
      const std::string name =
          fmt::format("{} {} for {}", member.architecture->name, package.version, package.host);
      if (!seen.insert(name).second) {
        return object.refuse("members", fmt::format("{} comes twice", name));
      }
    }
    file.packages.push_back(std::move(package));
  }
  EMUD_ASSIGN(const auto notes, whole.optional_objects("notes"));
  for (const JsonObject& object : notes) {
    EMUD_ASSIGN(auto note, read_note(object));
    file.notes.push_back(std::move(note));
  }
  return file;
}

}  // namespace emud
