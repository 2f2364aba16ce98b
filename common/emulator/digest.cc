#include "emulator/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace emud {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 20;

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// One running SHA-256 computation.
class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    good_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }

  void update(std::span<const std::byte> bytes) {
    good_ = good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }

  Result<std::array<std::byte, 32>> finish() {
    std::array<std::byte, 32> value{};
    unsigned length = 0;
    good_ = good_ && EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(&value),
                                        &length) == 1;
    if (!good_ || length != value.size()) {
      return fail(Errc::internal, "compute", "a SHA-256 digest", "OpenSSL refused",
                  "Check that OpenSSL's configuration offers SHA-256");
    }
    return value;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool good_ = false;
};

}  // namespace

Result<Digest> Digest::parse(std::string_view hex) {
  const auto refuse = [&](std::string_view reason) {
    return fail(Errc::invalid_argument, "read digest", fmt::format("'{}'", hex.substr(0, 80)),
                reason, "Give the SHA-256 as 64 hexadecimal digits, as sha256sum prints it");
  };
  std::array<std::byte, 32> bytes{};
  if (hex.size() != 2 * bytes.size()) {
    return refuse(fmt::format("{} characters instead of 64", hex.size()));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return refuse("not a hexadecimal number");
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return Digest{bytes};
}

Result<Digest> Digest::of_file(int fd, std::string_view name) {
  Hash hash;
  std::vector<std::byte> buffer(buffer_size);
  for (off_t offset = 0;;) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail_errno("read", name);
    }
    if (count == 0) break;
    hash.update(std::span{buffer}.first(static_cast<std::size_t>(count)));
    offset += count;
  }
  EMUD_ASSIGN(const auto bytes, hash.finish());
  return Digest{bytes};
}

Result<Digest> Digest::of_bytes(std::span<const std::byte> bytes) {
  Hash hash;
  hash.update(bytes);
  EMUD_ASSIGN(const auto value, hash.finish());
  return Digest{value};
}

std::string Digest::hex() const {
  // By hand: a catalog has hundreds.
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes_.size());
  for (const std::byte byte : bytes_) {
    text += digits[std::to_integer<std::size_t>(byte >> 4)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

}  // namespace emud
