#include "ctl/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

// Messages have nowhere to report that they cannot be written.
void write_message(std::string_view text) {
  (void)write_all(STDERR_FILENO, "standard error", text);
}

}  // namespace

void report(const Error& error) {
  std::string text = fmt::format("emuctl: {}\n", error.message());
  if (!error.hint.empty()) text += fmt::format("  {}.\n", error.hint);
  write_message(text);
}

void message(std::string_view text) {
  write_message(fmt::format("emuctl: {}\n", text));
}

void tell_notes(const std::optional<std::vector<std::string>>& notes) {
  if (!notes) return;
  for (const auto& note : *notes) message(fmt::format("note: {}", note));
}

Result<> print(std::string_view text) {
  return write_all(STDOUT_FILENO, "standard output", text);
}

int finish(const Result<>& result) {
  if (result) return 0;
  report(result.error());
  return wire::verb_exit_status(result.error());
}

bool uses_colour(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view{terminal} == "dumb") return false;
  return ::isatty(fd) == 1;
}

std::string coloured(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::none) return std::string{text};
  int code = 0;  // ECMA-48, SGR
  switch (colour) {
    case Colour::none:
      break;
    case Colour::green:
      code = 32;
      break;
    case Colour::yellow:
      code = 33;
      break;
    case Colour::red:
      code = 31;
      break;
    case Colour::bold:
      code = 1;
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      const bool is_last = column + 1 == row.size();
      text += is_last ? row[column] : fmt::format("{:{}}  ", row[column], widths[column]);
    }
    text += '\n';
  }
  return text;
}

std::string listed(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace emud::ctl
