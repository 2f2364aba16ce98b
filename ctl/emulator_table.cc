#include "ctl/emulator_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ctl/fit.h"
#include "emulator/digest.h"
#include "emulator/version.h"

namespace emud::ctl {
namespace {

constexpr std::size_t most_names = 4;  // in one cell
constexpr std::size_t day = 10;        // of the time in RFC 3339

// What is known of one version.
struct Version {
  std::vector<std::string> all, installed, defaults;
  std::set<std::string> users;
  std::set<std::size_t> problems;  // numbers
};

struct Newest {
  bool operator()(const std::string& a, const std::string& b) const {
    return compare_versions(a, b) > 0;
  }
};

std::string names(const std::vector<std::string>& names) {
  if (names.empty()) return "-";
  if (names.size() > most_names) return fmt::format("{} architectures", names.size());
  return fmt::format("{}", fmt::join(names, ", "));
}

// Each problem once, with the architectures it is about.
class Problems {
 public:
  std::size_t number(const std::string& text, const std::string& architecture) {
    auto found = std::ranges::find(list_, text, &Problem::text);
    if (found == list_.end()) found = list_.insert(found, {text, {}});
    found->architectures.insert(architecture);
    return static_cast<std::size_t>(found - list_.begin()) + 1;
  }

  [[nodiscard]] std::string text(std::size_t width) const {
    constexpr std::size_t indent = 4;
    std::string text;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      const std::vector<std::string> about(list_[i].architectures.begin(),
                                           list_[i].architectures.end());
      const std::string line = fmt::format("[{}] {}: {}.", i + 1, names(about), list_[i].text);
      text += fmt::format("{}{}\n", i == 0 ? "\n" : "", wrapped(line, width, indent));
    }
    return text;
  }

 private:
  struct Problem {
    std::string text;
    std::set<std::string> architectures;
  };
  std::vector<Problem> list_;
};

std::string numbers(const std::set<std::size_t>& problems) {
  return problems.empty() ? "-" : fmt::format("[{}]", fmt::join(problems, "] ["));
}

// "5 leases, 1 pin" of "lease f3a1", "pin emud-arm" and the like.
std::string uses(const std::set<std::string>& users) {
  std::map<std::string, int> counts;
  for (const std::string& user : users) ++counts[user.substr(0, user.find(' '))];
  std::vector<std::string> words;
  for (const char* kind : {"lease", "pin", "handler"}) {
    if (const int count = counts[kind]; count > 0) {
      words.push_back(fmt::format("{} {}{}", count, kind, count == 1 ? "" : "s"));
    }
  }
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

std::string versions_text(const std::vector<wire::ListedEmulator>& emulators, std::size_t width) {
  if (emulators.empty()) return "no emulator is installed, and the catalog has none\n";
  std::map<std::string, Version, Newest> versions;
  Problems problems;
  for (const auto& one : emulators) {
    Version& version = versions[one.version];
    const auto add = [&](std::vector<std::string>& list) {
      if (list.empty() || list.back() != one.architecture) list.push_back(one.architecture);
    };
    add(version.all);
    if (one.installed) add(version.installed);
    if (one.is_default) add(version.defaults);
    version.users.insert(one.used_by.begin(), one.used_by.end());
    for (const auto& note : one.notes) {
      version.problems.insert(problems.number(note, one.architecture));
    }
  }
  std::vector<std::vector<std::string>> rows{
      {"QEMU", "INSTALLED FOR", "DEFAULT FOR", "TO BE HAD FOR", "USED BY", "PROBLEMS"}};
  for (const auto& [name, version] : versions) {
    rows.push_back({name, names(version.installed), names(version.defaults), names(version.all),
                    uses(version.users), numbers(version.problems)});
  }
  return table_in(std::move(rows), width) + problems.text(width);
}

std::string details_text(const std::vector<wire::ListedEmulator>& emulators, std::size_t width) {
  if (emulators.empty()) return "there is no such emulator\n";
  std::vector<std::vector<std::string>> rows{
      {"ARCHITECTURE", "QEMU", "SHA-256", "INSTALLED", "DEFAULT", "USED BY", "PROBLEMS", "SOURCE"}};
  Problems problems;
  for (const auto& one : emulators) {
    std::set<std::size_t> own;
    for (const auto& note : one.notes) own.insert(problems.number(note, one.architecture));
    rows.push_back({one.architecture, one.version, one.digest.substr(0, short_digest),
                    one.installed ? one.time.value_or("yes").substr(0, day) : "-",
                    one.is_default ? "yes" : "-",
                    one.used_by.empty() ? "-" : fmt::format("{}", fmt::join(one.used_by, ", ")),
                    numbers(own), one.source});
  }
  return table_in(std::move(rows), width) + problems.text(width);
}

std::string listed_json(const std::vector<wire::ListedEmulator>& emulators) {
  std::string list;
  for (const auto& one : emulators) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", wire::to_json(one));
  }
  return fmt::format("{{\"version\":1,\"emulators\":[{}]}}\n", list);
}

}  // namespace emud::ctl
