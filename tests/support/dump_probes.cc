// dump_probes DIRECTORY: writes every probe image to DIRECTORY/<architecture>, executable, and
// prints `architecture<TAB>big|little<TAB>hex units<TAB>assembly` for each of its instructions (the
// byte order is that of the code), for tests/integration/oracle_probes.py.
#include <fcntl.h>

#include <cstdio>
#include <string>

#include "arch/architecture.h"
#include "arch/probe_program.h"
#include "base/file.h"

namespace {

bool write_image(const std::string& path, std::span<const std::byte> image) {
  const std::string_view bytes{reinterpret_cast<const char*>(image.data()), image.size()};
  auto file = emud::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  const auto written = file ? emud::write_all(file->get(), path, bytes)
                            : emud::Result<>{std::unexpected(file.error())};
  if (!written) std::fprintf(stderr, "%s\n", written.error().message().c_str());
  return written.has_value();
}

void print_program(const emud::probe::Program& program, bool is_big_endian) {
  const bool big = is_big_endian && program.code_order == emud::probe::CodeOrder::as_data;
  for (const emud::probe::Instruction& instruction : program.instructions) {
    std::printf("%s\t%s\t%s\t%s\n", std::string{program.architecture}.c_str(),
                big ? "big" : "little", std::string{instruction.code}.c_str(),
                std::string{instruction.text}.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: dump_probes DIRECTORY\n");
    return 2;
  }
  for (const auto probes : emud::probe::all_probes()) {
    for (const emud::probe::Probe& probe : probes) {
      const auto architecture = emud::find_architecture(probe.program.architecture);
      if (!architecture) return 1;
      const std::string name{probe.program.architecture};
      if (!write_image(std::string{argv[1]} + "/" + name, emud::probe_image(**architecture)))
        return 1;
      print_program(probe.program, (*architecture)->is_big_endian);
    }
  }
  return 0;
}
