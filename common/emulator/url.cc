#include "emulator/url.h"

#include <fmt/format.h>

#include <algorithm>

namespace emud {
namespace {

bool is_space_or_control(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
}

// For an error about it.
std::string printable(std::string_view url) {
  std::string text = without_credentials(url.substr(0, 200));
  std::ranges::replace_if(text, is_space_or_control, '?');
  return text;
}

}  // namespace

Result<> check_url(std::string_view url) {
  constexpr std::size_t max_length = 4096;
  const auto wrong = [&](std::string_view reason) {
    return fail(Errc::invalid_argument, "download", printable(url), reason,
                "Give an address that begins with https:// or http://");
  };
  if (url.size() > max_length) return wrong("it is too long");
  if (std::ranges::any_of(url, is_space_or_control))
    return wrong("there is a space or control character in it");
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const char next = url.size() > scheme.size() ? url[scheme.size()] : '/';
    if (next == '/' || next == '?' || next == '#') return wrong("it names no host");
    return {};
  }
  return wrong("only http and https are taken");
}

std::string without_credentials(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string{url};
  const std::size_t host = scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < host) return std::string{url};
  return fmt::format("{}{}", url.substr(0, host), url.substr(at + 1));
}

}  // namespace emud
