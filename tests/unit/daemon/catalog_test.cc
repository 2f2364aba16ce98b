// The message ids against the catalog that explains them.
#include <set>
#include <sstream>

#include "base/file.h"
#include "daemon/message_ids.h"
#include "support/catch.h"

namespace emud {
namespace {

TEST_CASE("every message id is in the journal's catalog once, with subject and text") {
  const auto text = read_file(EMUD_SOURCE_DIR "/units/emud.catalog");
  REQUIRE(text);
  std::set<std::string> explained;
  std::istringstream lines{*text};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("-- ")) continue;
    INFO(line);
    CHECK(explained.insert(line.substr(3)).second);
    REQUIRE(std::getline(lines, line));
    CHECK(line.starts_with("Subject: "));
    REQUIRE(std::getline(lines, line));
    CHECK(line == "Defined-By: emud");
    while (std::getline(lines, line) && !line.empty()) CHECK(line.starts_with("Documentation: "));
    REQUIRE(std::getline(lines, line));
    CHECK_FALSE(line.empty());
  }
  const std::set<std::string> ids(message_id::all.begin(), message_id::all.end());
  CHECK(ids.size() == message_id::all.size());
  CHECK(explained == ids);
  for (const auto& id : ids) CHECK(id.size() == 32);
}

}  // namespace
}  // namespace emud
