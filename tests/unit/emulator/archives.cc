#include "unit/emulator/archives.h"

#include <fmt/format.h>

#include <cstddef>

namespace emud::test {
namespace {

constexpr std::size_t block = 512;

void put(std::string& header, std::size_t offset, std::string_view text) {
  header.replace(offset, text.size(), text);
}

// A number in octal, as tar has it: `digits` digits and a NUL.
std::string octal(std::uint64_t number, int digits) {
  return fmt::format("{:0{}o}", number, digits) + '\0';
}

std::string padded(std::string_view content) {
  std::string bytes{content};
  bytes.resize((bytes.size() + block - 1) / block * block, '\0');
  return bytes;
}

}  // namespace

// The fields of a header: POSIX.1-1988 ustar, and oldgnu_header of GNU tar's tar.h.
std::string tar_member(const Member& member) {
  const bool is_sparse = member.type == 'S';
  std::string header(block, '\0');
  put(header, 0, member.path.substr(0, 99));
  put(header, 100, octal(0755, 7));
  put(header, 108, octal(0, 7));
  put(header, 116, octal(0, 7));
  put(header, 124, octal(member.content.size(), 11));
  put(header, 136, octal(0, 11));
  put(header, 148, "        ");
  header[156] = member.type;
  put(header, 157, member.target);
  put(header, 257,
      is_sparse ? std::string_view{"ustar  \0", 8} : std::string_view{"ustar\00000", 8});
  if (is_sparse) {
    put(header, 386, octal(member.hole_size, 11) + octal(member.content.size(), 11));
    put(header, 483, octal(member.hole_size + member.content.size(), 11));
  }
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  put(header, 148, octal(sum, 6) + ' ');
  return header + padded(member.content);
}

std::string tar_end() {
  return std::string(2 * block, '\0');
}

std::string ar_member(std::string_view name, std::string_view content) {
  std::string bytes =
      fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0, "100644", content.size());
  bytes += content;
  if (content.size() % 2 != 0) bytes += '\n';
  return bytes;
}

std::string deb(std::string_view data, std::string_view data_name) {
  const Member control{.path = "./control", .content = "Package: qemu-user-static\n"};
  return "!<arch>\n" + ar_member("debian-binary", "2.0\n") +
         ar_member("control.tar", tar_member(control) + tar_end()) + ar_member(data_name, data);
}

}  // namespace emud::test
