// Any bytes as a program: they are read without reading beyond them, and alike from memory and from
// a file. What is composed from one is one that the kernel could load.
#include <elf.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "arch/elf.h"
#include "base/file.h"
#include "emulator/interpreter.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

void check_error(const Error& error) {
  require(error.code == Errc::invalid_argument && !error.reason.empty() && !error.hint.empty());
}

void check_composed(const char* data, std::size_t size) {
  const auto composed = compose_interpreter({data, size});
  if (!composed) return;
  require(composed->size() > size);
  const auto summary = read_elf(std::as_bytes(std::span{*composed}), "composed");
  require(summary && summary->type == ET_EXEC && summary->end <= composed->size());
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

  check_composed(reinterpret_cast<const char*>(data), size);

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
