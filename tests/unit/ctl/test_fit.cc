// What is shown on a terminal fits it.
#include "ctl/fit.h"
#include "ctl/output.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

TEST_CASE("fit: text is broken at spaces") {
  CHECK(wrapped("one two three", 0, 2) == "one two three");
  CHECK(wrapped("one two three", 9, 2) == "one two\n  three");
  CHECK(wrapped("one twentyseven", 5, 1) == "one\n twentyseven");
  CHECK(wrapped("", 9, 2).empty());
}

TEST_CASE("fit: a table is as wide as it may be") {
  const std::vector<std::vector<std::string>> rows{
      {"A", "WORDS", "LAST"}, {"1", "aa bb cc dd", "x"}, {"22", "ee", "/a/path"}};
  CHECK(table_in(rows, 0) == table(rows));
  CHECK(table_in(rows, 24) == table(rows));
  CHECK(table_in(rows, 18) == "A   WORDS  LAST\n1   aa bb  x\n    cc dd\n22  ee     /a/path\n");
  // Where a word alone is too long, the last column goes below.
  CHECK(table_in(rows, 15) == "A   WORDS\n  LAST\n1   aa bb cc dd\n  x\n22  ee\n  /a/path\n");
  CHECK(table_in(rows, 5) == "A   WORDS\n  LAST\n1   aa bb\n    cc dd\n  x\n22  ee\n  /a/path\n");
}

}  // namespace
}  // namespace emud::ctl
