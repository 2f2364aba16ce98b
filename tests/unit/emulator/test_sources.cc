#include "emulator/catalog_fetch.h"
#include "emulator/sources.h"

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using Urls = std::vector<std::string>;

PackagePlace some_package() {
  PackagePlace package;
  package.package = "qemu-user";
  package.package_version = "1:10.0+ds-1";
  package.architecture = "amd64";
  package.pool_path = "pool/main/q/qemu/qemu-user_10.0+ds-1_amd64.deb";
  package.snapshot = "20251115T000000Z";
  package.sha256 = std::string(64, 'a');
  return package;
}

constexpr std::string_view encoded = "/pool/main/q/qemu/qemu-user_10.0%2Bds-1_amd64.deb";

std::string in(std::string_view mirror) {
  return std::string{mirror} + std::string{encoded};
}

TEST_CASE("mirrors come first, then apt's, then the snapshot, each once") {
  const test::ScratchDirectory etc;
  test::write_file(etc / "sources.list",
                   "deb http://deb.example/debian bookworm main\n"
                   "deb http://deb.example/debian bookworm-updates main\n"
                   "deb http://deb.example/debian-security bookworm-security main\n"
                   "deb http://security.debian.example bookworm/updates main\n"
                   "deb https://mine.example/debian trixie main\n"
                   "deb https://docker.example/linux/debian bookworm stable\n"
                   "deb https://packages.example/apt cloud-bookworm main\n"
                   "deb http://cache.example:3142/ftp.example/Debian/ sid main\n"
                   "deb http://deb.example/debian-ports sid main\n"
                   "deb http://mirror.example/os trixie-updates main contrib\n"
                   "deb http://postgres.example/apt bookworm-pgdg main\n"
                   "deb http://security.example/os trixie-security main\n"
                   "deb http://archive.example/ubuntu noble main\n");
  const PackagePlace package = some_package();
  const SourceOptions options{.mirrors = {"https://mine.example/debian/", "http://b.example"},
                              .apt_directory = etc.path(),
                              .use_apt_get = false};
  const Sources sources = sources_of(package, options);
  CHECK(sources.urls == Urls{in("https://mine.example/debian"), in("http://b.example"),
                             in("http://deb.example/debian"),
                             in("http://cache.example:3142/ftp.example/Debian"),
                             in("http://mirror.example/os")});
  CHECK(sources.more() == Urls{in("https://snapshot.debian.org/archive/debian/20251115T000000Z")});
}

TEST_CASE("a user's own mirrors stand in the environment") {
  ::setenv("EMUD_MIRRORS", "https://a.example/debian  http://b.example/debian ", 1);
  CHECK(own_fetch_options().mirrors == Urls{"https://a.example/debian", "http://b.example/debian"});
  ::unsetenv("EMUD_MIRRORS");
  CHECK(own_fetch_options().mirrors.empty());
}

TEST_CASE("a security update is looked for where those are") {
  const test::ScratchDirectory etc;
  test::write_file(etc / "sources.list",
                   "deb http://deb.example/debian bookworm main\n"
                   "deb http://deb.example/debian-security bookworm-security main\n");
  PackagePlace package = some_package();
  package.pool_path = "pool/updates/main/q/qemu/q.deb";
  const SourceOptions options{.apt_directory = etc.path(), .use_apt_get = false};
  const Sources sources = sources_of(package, options);
  CHECK(sources.urls == Urls{"http://deb.example/debian-security/pool/"
                             "updates/main/q/qemu/q.deb"});
  CHECK(sources.more() == Urls{"https://snapshot.debian.org/archive/debian-security/"
                               "20251115T000000Z/pool/updates/main/q/qemu/q.deb"});
}

TEST_CASE("what is not wanted or not known is left out") {
  const test::ScratchDirectory etc;
  PackagePlace package = some_package();
  SourceOptions options{.apt_directory = etc.path(), .use_apt_get = false, .use_snapshot = false};
  CHECK(sources_of(package, options).urls.empty());
  CHECK(sources_of(package, options).more().empty());
  options.use_snapshot = true;
  package.snapshot.clear();
  CHECK(sources_of(package, options).more().empty());
}

}  // namespace
}  // namespace emud
