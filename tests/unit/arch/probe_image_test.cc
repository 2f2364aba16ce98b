#include "arch/probe_image.h"

#include <algorithm>
#include <set>
#include <string>

#include "arch/probe_program.h"
#include "support/catch.h"

TEST_CASE("every architecture has one probe and every probe an architecture") {
  std::set<std::string_view> names;
  for (const auto probes : emud::probe::all_probes()) {
    for (const emud::probe::Probe& probe : probes) {
      INFO(probe.program.architecture);
      CHECK(names.insert(probe.program.architecture).second);
      CHECK(emud::find_architecture(probe.program.architecture).has_value());
    }
  }
  for (const emud::Architecture& architecture : emud::architectures()) {
    INFO(architecture.name);
    CHECK(names.contains(architecture.name));
    CHECK_FALSE(emud::probe_image(architecture).empty());
  }
}

TEST_CASE("an architecture without a probe has an empty image") {
  emud::Architecture unknown = emud::architectures().front();
  unknown.name = "vax";
  CHECK(emud::probe_image(unknown).empty());
}

TEST_CASE("the line is where the instructions look for it") {
  for (const emud::Architecture& architecture : emud::architectures()) {
    const auto image = emud::probe_image(architecture);
    REQUIRE(image.size() == emud::probe::image_size);
    const auto line = image.subspan(emud::probe::line_at, emud::probe_line.size());
    CHECK(std::ranges::equal(line, std::as_bytes(std::span{emud::probe_line})));
  }
}

TEST_CASE("instruction units are put in the code's byte order") {
  using emud::probe::Assembler;
  const auto put = [](std::string_view code, bool big) {
    emud::probe::Image image{};
    Assembler out{image, big};
    out.put_units(code, big);
    std::string text;
    for (std::size_t i = 0; i < out.at(); ++i) text += static_cast<char>(image[i]);
    return text;
  };
  CHECK(put("61626364", true) == "abcd");
  CHECK(put("61626364", false) == "dcba");
  CHECK(put("6162 6364", false) == "badc");
  CHECK(put("61 62 63", false) == "abc");
  CHECK(put("616263", false) == "cba");
  CHECK_THROWS(put("616", true));
  CHECK_THROWS(put("6g", true));
  CHECK_THROWS(put("61  62", true));
}
