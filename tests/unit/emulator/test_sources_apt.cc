#include "emulator/sources_apt.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using Found = std::vector<AptSource>;

// The first line that a command of the shell prints.
std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{::popen(command.c_str(), "re"),
                                                             ::pclose};
  std::array<char, 4096> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return {};
  std::string text{line.data()};
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

TEST_CASE("apt's one-line sources are read") {
  CHECK(parse_one_line_sources(
            "deb http://deb.example/debian/ bookworm main contrib\n"
            "deb-src http://deb.example/debian bookworm main\n"
            "# deb http://commented.example/debian bookworm main\n"
            "\n"
            "deb\t[arch=amd64 signed-by=/usr/share/keyrings/x.gpg] "
            "https://a.example/debian sid main # a comment\n"
            "deb [ arch=amd64,arm64 trusted=yes ] http://b.example/debian sid main\r\n"
            "deb http://flat.example/debian ./") ==
        Found{{"http://deb.example/debian", "bookworm", {"main", "contrib"}},
              {"https://a.example/debian", "sid", {"main"}},
              {"http://b.example/debian", "sid", {"main"}},
              {"http://flat.example/debian", "./", {}}});
}

TEST_CASE("what cannot be downloaded here, and what is broken, is left out") {
  CHECK(parse_one_line_sources("deb cdrom:[Debian 12]/ bookworm main\n"
                               "deb file:/srv/debian bookworm main\n"
                               "deb copy:/srv/debian bookworm main\n"
                               "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n"
                               "deb tor+http://x.onion/debian bookworm main\n"
                               "deb\n"
                               "deb http://half.example\n"
                               "deb [arch=amd64 http://open.example/debian sid main\n"
                               "deb [arch=amd64] http://half.example\n"
                               "nonsense http://x.example/debian sid main\n") == Found{});
}

TEST_CASE("apt's deb822 sources are read") {
  CHECK(parse_deb822_sources("Types: deb deb-src\n"
                             "# http://snapshot.debian.org/archive/debian/20250520T000000Z\n"
                             "URIs: http://deb.example/debian https://second.example/debian/\n"
                             "Suites: bookworm bookworm-updates\n"
                             "Components: main\n"
                             "Signed-By:\n"
                             " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
                             " .\n"
                             " mQINBF: x\n"
                             "\n"
                             "\n"
                             "types:  deb\n"
                             "uris:\n"
                             "  file:/srv/debian\n"
                             "  http://third.example/debian\n"
                             "suites: trixie\n"
                             "components: main\n"
                             "  contrib\n"
                             "Enabled: yes\n") ==
        Found{{"http://deb.example/debian", "bookworm", {"main"}},
              {"http://deb.example/debian", "bookworm-updates", {"main"}},
              {"https://second.example/debian", "bookworm", {"main"}},
              {"https://second.example/debian", "bookworm-updates", {"main"}},
              {"http://third.example/debian", "trixie", {"main", "contrib"}}});
}

TEST_CASE("stanzas that apt does not use are left out") {
  const std::string rest = "URIs: http://a.example/debian\nSuites: sid\nComponents: main\n";
  CHECK(parse_deb822_sources("Types: deb\nEnabled: no\n" + rest) == Found{});
  CHECK(parse_deb822_sources("Enabled: FALSE\nTypes: deb\n" + rest) == Found{});
  CHECK(parse_deb822_sources("Types: deb-src\n" + rest) == Found{});
  CHECK(parse_deb822_sources(rest) == Found{});
  CHECK(parse_deb822_sources("Types: deb\nno colon\n" + rest) == Found{});
  CHECK(parse_deb822_sources(" begins with a space\nTypes: deb\n" + rest) == Found{});
  CHECK(parse_deb822_sources("") == Found{});
  CHECK(parse_deb822_sources("\n\n# nothing\n") == Found{});
}

TEST_CASE("all of apt's files are read, in apt's order, and nothing else") {
  const test::ScratchDirectory etc;
  const auto line = [](const std::string& host) {
    return "deb http://" + host + "/debian sid main\n";
  };
  std::filesystem::create_directory(etc / "sources.list.d");
  test::write_file(etc / "sources.list", line("first"));
  test::write_file(etc / "sources.list.d/b.list", line("third"));
  test::write_file(etc / "sources.list.d/a.sources",
                   "Types: deb\nURIs: http://second/debian\nSuites: sid\nComponents: main\n");
  test::write_file(etc / "sources.list.d/c.list.save", line("saved"));
  test::write_file(etc / "sources.list.d/d.list.distUpgrade", line("old"));
  const auto found = read_apt_sources(etc.path());
  REQUIRE(found.size() == 3);
  CHECK(found[0].uri == "http://first/debian");
  CHECK(found[1].uri == "http://second/debian");
  CHECK(found[2].uri == "http://third/debian");
  CHECK(read_apt_sources(etc / "nowhere").empty());
}

TEST_CASE("what apt-get prints is taken where the digest is the one that is wanted") {
  const std::string digest(64, 'a');
  const std::string line =
      "'http://deb.example/debian/pool/main/q/qemu/q_1%2bb.deb' q_1%3a1+b.deb 10 SHA256:";
  CHECK(uri_of_apt_line(line + digest, digest) ==
        "http://deb.example/debian/pool/main/q/qemu/q_1%2bb.deb");
  CHECK(uri_of_apt_line(line + std::string(64, 'b'), digest).empty());
  CHECK(uri_of_apt_line("'file:/srv/q.deb' q.deb 10 SHA256:" + digest, digest).empty());
  CHECK(uri_of_apt_line("", digest).empty());
  CHECK(uri_of_apt_line("'", digest).empty());
  CHECK(uri_of_apt_line("''", digest).empty());
  CHECK(uri_of_apt_line("E: Unable to locate package", digest).empty());
}

TEST_CASE("apt knows where a version is that it has in its lists") {
  const auto field = [](const std::string& name) {
    return output_of("LC_ALL=C apt-cache show --no-all-versions dpkg | sed -n 's/^" + name +
                     ": //p'");
  };
  const std::string digest = field("SHA256");
  if (digest.empty()) {
    WARN("skipped: this machine's apt has no lists (`apt-get update` gets them)");
    return;
  }
  const std::string version = field("Version");
  const std::string expected = uri_of_apt_line(
      output_of("cd / && LC_ALL=C apt-get --print-uris -qq download dpkg=" + version), digest);
  REQUIRE(!expected.empty());
  CHECK(ask_apt("dpkg", version, digest) == expected);
  CHECK(ask_apt("dpkg", version, std::string(64, 'a')).empty());
}

TEST_CASE("apt that does not know a package has nothing to say") {
  CHECK(ask_apt("no-such-package-of-emud", "1:1", std::string(64, 'a')).empty());
}

}  // namespace
}  // namespace emud
