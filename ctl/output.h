// What emuctl prints: results on stdout, messages on stderr, colour only on a terminal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace emud::ctl {

// "emuctl: <message>" and, where there is one, "  <hint>." on stderr.
void report(const Error& error);

// "emuctl: <text>" on stderr.
void message(std::string_view text);

// The notes of an answer, each as a message "note: <text>".
void tell_notes(const std::optional<std::vector<std::string>>& notes);

// Writes a result to stdout.
[[nodiscard]] Result<> print(std::string_view text);

// The end of a verb other than run and build: 0, or the error reported and its exit status.
[[nodiscard]] int finish(const Result<>& result);

// Whether text for this descriptor may carry colours: it is a terminal that can, and NO_COLOR
// (no-color.org) is not set.
[[nodiscard]] bool uses_colour(int fd);

enum class Colour { none, green, yellow, red, bold };

// The text between the escape sequences for that colour; the text alone where `enabled` is false.
[[nodiscard]] std::string coloured(std::string_view text, Colour colour, bool enabled);

// Rows of left-aligned columns, two spaces between them, none at the end of a line. The first row
// is the heading. A row may be shorter than the heading.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

// The words with ", " between them; "none" for no words.
[[nodiscard]] std::string listed(const std::vector<std::string>& words);

}  // namespace emud::ctl
