#include "emulator/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "emulator/digest.h"
#include "emulator/version.h"

namespace emud {
namespace {

using nlohmann::json;

constexpr std::string_view damaged_hint =
    "Remove this entry of the store and install the emulator again";

bool is_digest(const std::string& text) {
  const auto digest = Digest::parse(text);
  return digest && digest->hex() == text;
}

// A file name's part, so that it can be joined to "qemu-".
bool is_architecture_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// "2026-02-03T04:05:06Z"
bool is_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00Z";
  return std::ranges::equal(text, form, [](char c, char wanted) {
    return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
  });
}

}  // namespace

std::string format_manifest(const Manifest& manifest) {
  const json object{{"architecture", manifest.architecture},
                    {"version", manifest.version},
                    {"digest", manifest.digest},
                    {"interpreter", manifest.interpreter},
                    {"source", manifest.source},
                    {"package_digest", manifest.package_digest},
                    {"installed", manifest.installed}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text, std::string_view path) {
  const auto refuse = [&](std::string_view reason) {
    return fail(Errc::invalid_argument, "read manifest", path, reason, damaged_hint);
  };
  const json object = json::parse(text.begin(), text.end(), nullptr, false);
  if (!object.is_object()) return refuse("it is not a JSON object");
  const auto member = [&](const char* name) -> std::string {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  Manifest manifest{.architecture = member("architecture"),
                    .version = member("version"),
                    .digest = member("digest"),
                    .interpreter = member("interpreter"),
                    .source = member("source"),
                    .package_digest = member("package_digest"),
                    .installed = member("installed")};
  if (!is_architecture_name(manifest.architecture)) return refuse("no good 'architecture'");
  if (!is_version(manifest.version)) return refuse("no good 'version'");
  if (!is_digest(manifest.digest)) return refuse("no good 'digest'");
  if (!manifest.interpreter.empty() && !is_digest(manifest.interpreter))
    return refuse("no good 'interpreter'");
  if (!is_time(manifest.installed)) return refuse("no good 'installed'");
  if (manifest.source.find('\0') != std::string::npos) return refuse("a NUL in 'source'");
  if (!manifest.package_digest.empty() && !is_digest(manifest.package_digest)) {
    return refuse("no good 'package_digest'");
  }
  return manifest;
}

std::string manifest_time() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[sizeof "0000-00-00T00:00:00Z"];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string{text, length};
}

}  // namespace emud
