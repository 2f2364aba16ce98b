// SHA-256 (FIPS 180-4) by OpenSSL's EVP.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace emud {

inline constexpr std::size_t short_digest = 12;  // hexadecimal digits that people are shown

class Digest {
 public:
  // 64 hexadecimal digits of either case; invalid_argument (naming the text) for anything else.
  [[nodiscard]] static Result<Digest> parse(std::string_view hex);

  // Of a whole file, read from its beginning with pread(2): the descriptor's offset stays where it
  // is. name is for the error. Fails with errno's code when the file cannot be read.
  [[nodiscard]] static Result<Digest> of_file(int fd, std::string_view name);

  // Of bytes in memory. Fails (internal) only when OpenSSL has no SHA-256.
  [[nodiscard]] static Result<Digest> of_bytes(std::span<const std::byte> bytes);

  [[nodiscard]] std::string hex() const;  // 64 digits, lower case

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  explicit Digest(const std::array<std::byte, 32>& bytes) : bytes_(bytes) {}
  std::array<std::byte, 32> bytes_;
};

}  // namespace emud
