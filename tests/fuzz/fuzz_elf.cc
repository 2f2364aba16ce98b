// read_elf and match_program take any bytes without reading beyond them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "arch/elf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span{data, size});
  const auto summary = emud::read_elf(bytes, "fuzz");
  if (!summary && summary.error().reason.empty()) std::abort();
  const emud::Architecture* found = emud::match_program(bytes);
  if (summary && found != nullptr && found->is_64_bit != summary->is_64_bit) std::abort();
  return 0;
}
