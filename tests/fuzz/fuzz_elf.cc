// Any bytes as a program: they are read without reading beyond them, and alike from memory and from
// a file.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "arch/elf.h"
#include "base/file.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

void check_error(const Error& error) {
  require(error.code == Errc::invalid_argument && !error.reason.empty() && !error.hint.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span{data, size});
  const auto summary = read_elf(bytes, "fuzz");
  const Architecture* found = match_program(bytes);
  if (summary) {
    require(found == nullptr || found->is_64_bit == summary->is_64_bit);
    require(found == nullptr || found->is_big_endian == summary->is_big_endian);
  } else {
    check_error(summary.error());
  }

  const UniqueFd file{::memfd_create("fuzz", MFD_CLOEXEC)};
  require(write_all(file.get(), "fuzz", {reinterpret_cast<const char*>(data), size}).has_value());
  const auto whole = read_elf_file(file.get(), "fuzz");
  if (!whole) {
    check_error(whole.error());
    require(!summary || summary->end > size);
    return 0;
  }
  require(summary && summary->end == whole->end && whole->end <= size);
  require(summary->machine == whole->machine && summary->type == whole->type);
  require(whole->interpreter_size <= size);
  return 0;
}
