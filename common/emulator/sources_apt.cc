#include "emulator/sources_apt.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <span>

#include "base/file.h"
#include "emulator/unprivileged.h"

namespace emud {
namespace {

using Words = std::vector<std::string>;

// apt-get unpacks its lists into temporary files where it cannot write its cache.
constexpr rlim_t apt_file_size = rlim_t{256} << 20;

// The next line of the text, which is taken off.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

Words words_of(std::string_view text) {
  constexpr std::string_view spaces = " \t";
  Words words;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(spaces, begin)) < text.size();) {
    const std::size_t end = std::min(text.find_first_of(spaces, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool is_downloadable(std::string_view uri) {
  return uri.starts_with("http://") || uri.starts_with("https://");
}

void add(std::vector<AptSource>& sources, std::string_view uri, std::string_view suite,
         std::span<const std::string> components) {
  if (!is_downloadable(uri)) return;
  while (uri.ends_with('/')) uri.remove_suffix(1);
  sources.push_back({std::string{uri}, std::string{suite}, {components.begin(), components.end()}});
}

// A stanza's fields by their names in lower case; a line that begins with a space goes on with the
// field before it.
std::map<std::string, Words> fields_of(std::span<const std::string_view> stanza) {
  std::map<std::string, Words> fields;
  Words* field = nullptr;
  for (const std::string_view line : stanza) {
    std::string_view value = line;
    if (!line.starts_with(' ') && !line.starts_with('\t')) {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) return {};  // apt refuses the file
      field = &fields[lower(line.substr(0, colon))];
      value = line.substr(colon + 1);
    }
    if (field == nullptr) return {};
    const Words words = words_of(value);
    field->insert(field->end(), words.begin(), words.end());
  }
  return fields;
}

// apt's StringToBool says no to these.
bool is_no(const Words& words) {
  constexpr std::string_view no[] = {"no", "false", "without", "off", "disable", "0"};
  return !words.empty() && std::ranges::find(no, lower(words.front())) != std::end(no);
}

void add_stanza(std::vector<AptSource>& sources, std::span<const std::string_view> stanza) {
  auto fields = fields_of(stanza);
  const Words& types = fields["types"];
  if (is_no(fields["enabled"]) || std::ranges::find(types, "deb") == types.end()) return;
  for (const std::string& uri : fields["uris"]) {
    for (const std::string& suite : fields["suites"]) {
      add(sources, uri, suite, fields["components"]);
    }
  }
}

}  // namespace

// sources.list(5): deb [ option=value ... ] uri suite [component...]
std::vector<AptSource> parse_one_line_sources(std::string_view text) {
  std::vector<AptSource> sources;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    line = line.substr(0, line.find('#'));
    Words words = words_of(line);
    if (words.size() < 3 || words[0] != "deb") continue;
    auto word = words.begin() + 1;
    if (word->starts_with('[')) {
      const auto is_end = [](const std::string& part) { return part.ends_with(']'); };
      word = std::find_if(word, words.end(), is_end);
      if (word == words.end()) continue;
      ++word;
    }
    if (words.end() - word < 2) continue;
    add(sources, word[0], word[1], {word + 2, words.end()});
  }
  return sources;
}

std::vector<AptSource> parse_deb822_sources(std::string_view text) {
  std::vector<AptSource> sources;
  std::vector<std::string_view> stanza;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.starts_with('#')) continue;
    if (!words_of(line).empty()) {
      stanza.push_back(line);
      continue;
    }
    add_stanza(sources, stanza);
    stanza.clear();
  }
  add_stanza(sources, stanza);
  return sources;
}

std::vector<AptSource> read_apt_sources(const std::string& directory) {
  std::vector<AptSource> sources;
  const auto add_file = [&](const std::string& path) {
    const auto text = read_file(path);
    if (!text) return;
    const auto found =
        path.ends_with(".sources") ? parse_deb822_sources(*text) : parse_one_line_sources(*text);
    sources.insert(sources.end(), found.begin(), found.end());
  };
  add_file(directory + "/sources.list");
  const std::string parts = directory + "/sources.list.d";
  for (const std::string& name : list_directory(AT_FDCWD, parts).value_or(Words{})) {
    if (name.ends_with(".list") || name.ends_with(".sources")) {
      add_file(fmt::format("{}/{}", parts, name));
    }
  }
  return sources;
}

std::string uri_of_apt_line(std::string_view line, std::string_view sha256) {
  const std::size_t end = line.size() > 1 ? line.find('\'', 1) : std::string_view::npos;
  if (!line.starts_with('\'') || end == std::string_view::npos) return {};
  const std::string_view uri = line.substr(1, end - 1);
  const Words rest = words_of(line.substr(end + 1));
  const bool is_it = !rest.empty() && rest.back() == fmt::format("SHA256:{}", sha256);
  return is_it && is_downloadable(uri) ? std::string{uri} : std::string{};
}

std::string ask_apt(const std::string& package, const std::string& version,
                    std::string_view sha256) {
  const auto apt = open_at(AT_FDCWD, "/usr/bin/apt-get", O_RDONLY);
  if (!apt) return {};
  const UnprivilegedProgram program{
      .program = apt->get(),
      .name = "apt-get",
      .arguments = {"apt-get", "--print-uris", "-qq", "download",
                    fmt::format("{}={}", package, version)},
      .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"},
      .time_limit = std::chrono::seconds{20},
      .cpu_seconds = 20,
      .file_size = apt_file_size};
  const auto outcome = run_unprivileged(program);
  if (!outcome || !outcome->succeeded()) return {};
  std::string_view output = outcome->output;
  while (!output.empty()) {
    if (auto uri = uri_of_apt_line(take_line(output), sha256); !uri.empty()) return uri;
  }
  return {};
}

}  // namespace emud
