// What doctor can find: one table, which `emuctl doctor --list` shows, and what a check makes of
// it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emud::ctl {

// error: it would stop a build, or give root away. warning: some builds fail, or something is
// weaker than it should be. note: worth knowing.
enum class Level { note, warning, error };

[[nodiscard]] std::string_view to_string(Level level);

struct FindingKind {
  std::string_view id;       // stable
  std::string_view levels;   // for people: which, and on what it depends
  std::string_view meaning;  // one or two sentences
};

// Every kind, in the order of the checks.
[[nodiscard]] std::span<const FindingKind> finding_kinds();

struct Finding {
  const FindingKind* kind = nullptr;
  Level level = Level::note;
  std::string what;  // what was found, on what: a sentence without the full stop
  std::string
      mend;  // what to type: commands, one a line; a line of words is a comment of the shell
};

class Findings {
 public:
  // The id must be in the table.
  void add(std::string_view id, Level level, std::string what, std::string mend);

  // What a check has seen that is as it should be: shown only to who asks for more.
  void remark(std::string what);

  [[nodiscard]] const std::vector<Finding>& all() const { return findings_; }
  [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }
  [[nodiscard]] std::size_t size() const { return findings_.size(); }

 private:
  std::vector<Finding> findings_;
  std::vector<std::string> remarks_;
};

}  // namespace emud::ctl
