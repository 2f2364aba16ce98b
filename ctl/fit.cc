#include "ctl/fit.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "ctl/output.h"

namespace emud::ctl {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Widths = std::vector<std::size_t>;

std::vector<std::string> lines_within(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (line.size() + 1 + word.size() <= width) {
      line += fmt::format(" {}", word);
    } else {
      lines.emplace_back(word);
    }
  }
  return lines;
}

std::size_t longest_word(std::string_view text) {
  std::size_t longest = 0;
  for (const std::string& word : lines_within(text, 0)) longest = std::max(longest, word.size());
  return longest;
}

// Of each column, what `size` says of its widest cell.
Widths widths_of(const Rows& rows, std::size_t (*size)(std::string_view)) {
  Widths widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], size(row[column]));
    }
  }
  return widths;
}

// Widths that fit, none less than its column's longest word.
std::optional<Widths> narrowed(const Rows& rows, std::size_t width) {
  Widths widths = widths_of(rows, [](std::string_view cell) { return cell.size(); });
  const Widths least = widths_of(rows, longest_word);
  std::size_t sum = widths.empty() ? 0 : 2 * (widths.size() - 1);
  for (const std::size_t one : widths) sum += one;
  for (; sum > width; --sum) {
    std::size_t widest = widths.size();
    for (std::size_t column = 0; column < widths.size(); ++column) {
      if (widths[column] == least[column]) continue;
      if (widest == widths.size() || widths[column] > widths[widest]) widest = column;
    }
    if (widest == widths.size()) return std::nullopt;
    --widths[widest];
  }
  return widths;
}

std::string lines_of_row(const std::vector<std::string>& row, const Widths& widths) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t column = 0; column < row.size(); ++column) {
    cells.push_back(lines_within(row[column], widths[column]));
    height = std::max(height, cells.back().size());
  }
  std::string text;
  for (std::size_t number = 0; number < height; ++number) {
    std::string line;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const auto& cell = cells[column];
      line += fmt::format("{:{}}  ", number < cell.size() ? cell[number] : "", widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace

std::size_t output_width() {
  winsize size{};
  const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return is_known ? size.ws_col : 0;
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  if (width <= indent) return std::string{text};
  std::string result;
  for (const std::string& line : lines_within(text, width - indent)) {
    result += fmt::format("{}{}", result.empty() ? "" : "\n" + std::string(indent, ' '), line);
  }
  return result;
}

std::string table_in(Rows rows, std::size_t width) {
  if (width == 0) return table(rows);
  std::vector<std::string> below(rows.size());
  auto widths = narrowed(rows, width);
  if (!widths) {
    const std::size_t last = rows.front().size() - 1;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].size() > last) below[i] = fmt::format("  {}\n", rows[i][last]);
      rows[i].resize(std::min(rows[i].size(), last));
    }
    widths = narrowed(rows, width);
    if (!widths) widths = widths_of(rows, longest_word);
  }
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) text += lines_of_row(rows[i], *widths) + below[i];
  return text;
}

}  // namespace emud::ctl
