// The Debian mirrors that this machine's apt uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emud {

// One address of apt's: sources.list(5).
struct AptSource {
  std::string uri;  // http or https, without a "/" at its end
  std::string suite;
  std::vector<std::string> components;

  friend bool operator==(const AptSource&, const AptSource&) = default;
};

// The binary sources (deb) in the text of a file in the one-line or in the deb822 style, in its
// order. Of what apt would not use nothing is taken: comments, Enabled: no, broken lines; nor what
// cannot be downloaded here: cdrom:, file:, copy:, mirror+file: and the like.
[[nodiscard]] std::vector<AptSource> parse_one_line_sources(std::string_view text);
[[nodiscard]] std::vector<AptSource> parse_deb822_sources(std::string_view text);

// Those of sources.list, sources.list.d/*.list and sources.list.d/*.sources in that directory, as
// apt reads them. A file that is missing, unreadable or larger than a megabyte has none.
[[nodiscard]] std::vector<AptSource> read_apt_sources(const std::string& directory);

// What apt itself says about one version of a package: the address of a file whose SHA-256 is that,
// from `apt-get --print-uris download` run as an unprivileged process (apt-get(8)). Empty where apt
// does not know it, is not there or takes longer than some seconds. package is NAME[:ARCHITECTURE].
[[nodiscard]] std::string ask_apt(const std::string& package, const std::string& version,
                                  std::string_view sha256);

// The address in a line of --print-uris ("'URI' FILE SIZE SHA256:HEX") if it has that SHA-256 and
// is http or https; else empty.
[[nodiscard]] std::string uri_of_apt_line(std::string_view line, std::string_view sha256);

}  // namespace emud
