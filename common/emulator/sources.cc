#include "emulator/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "emulator/sources_apt.h"

namespace emud {
namespace {

constexpr std::string_view snapshot_archive = "https://snapshot.debian.org/archive";

// Security updates have a pool of their own (pool/updates/main/...), on mirrors
// of their own.
bool is_of_security(const PackagePlace& package) {
  return package.pool_path.starts_with("pool/updates/");
}

std::string_view archive_of(const PackagePlace& package) {
  return is_of_security(package) ? "debian-security" : "debian";
}

// Whether a suite's name is one of Debian's own: a release, with -updates, -backports and the like.
bool is_of_debian(std::string_view suite) {
  constexpr std::string_view releases[] = {"oldoldstable", "oldstable", "stable",   "testing",
                                           "unstable",     "sid",       "bullseye", "bookworm",
                                           "trixie",       "forky",     "duke"};
  constexpr std::string_view parts[] = {
      "", "updates", "backports", "backports-sloppy", "proposed-updates", "security"};
  const std::size_t end = std::min(suite.find_first_of("-/"), suite.size());
  const std::string_view part = end < suite.size() ? suite.substr(end + 1) : std::string_view{};
  return std::ranges::find(releases, suite.substr(0, end)) != std::end(releases) &&
         std::ranges::find(parts, part) != std::end(parts);
}

// Repositories of others have no such package; asking them would tell them what is wanted here, and
// take time. An organisation's own mirror is known by its suite where its address does not tell.
bool may_serve(const AptSource& source, const PackagePlace& package) {
  std::string uri = source.uri;
  for (char& c : uri) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto has = [&](std::string_view part) { return uri.find(part) != std::string::npos; };
  if (std::ranges::find(source.components, "main") == source.components.end()) return false;
  if (has("debian-ports") || has("debian-debug")) return false;
  if (!has("debian") && !is_of_debian(source.suite)) return false;
  const bool is_security = has("security") || source.suite.ends_with("-security");
  return is_security == is_of_security(package);
}

void add_once(std::vector<std::string>& urls, std::string url) {
  if (std::ranges::find(urls, url) == urls.end()) urls.push_back(std::move(url));
}

std::vector<std::string> more_sources(const PackagePlace& package, const SourceOptions& options) {
  std::vector<std::string> urls;
  if (options.use_apt_get) {
    auto url = ask_apt(fmt::format("{}:{}", package.package, package.architecture),
                       package.package_version, package.sha256);
    if (!url.empty()) add_once(urls, std::move(url));
  }
  if (options.use_snapshot && !package.snapshot.empty()) {
    const auto mirror =
        fmt::format("{}/{}/{}", snapshot_archive, archive_of(package), package.snapshot);
    add_once(urls, url_in(mirror, package.pool_path));
  }
  return urls;
}

}  // namespace

std::string url_in(std::string_view mirror, std::string_view pool_path) {
  while (mirror.ends_with('/')) mirror.remove_suffix(1);
  std::string url = fmt::format("{}/", mirror);
  for (const char c : pool_path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        byte < 0x80 && (std::isalnum(byte) != 0 || std::string_view{"-._~/"}.contains(c));
    url += is_plain ? std::string{c} : fmt::format("%{:02X}", byte);
  }
  return url;
}

Sources sources_of(const PackagePlace& package, const SourceOptions& options) {
  Sources sources;
  for (const std::string& mirror : options.mirrors) {
    add_once(sources.urls, url_in(mirror, package.pool_path));
  }
  for (const AptSource& source : read_apt_sources(options.apt_directory)) {
    if (may_serve(source, package)) add_once(sources.urls, url_in(source.uri, package.pool_path));
  }
  sources.more = [package, options] { return more_sources(package, options); };
  return sources;
}

}  // namespace emud
