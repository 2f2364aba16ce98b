#include "emulator/inspect.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "arch/elf.h"
#include "arch/probe_image.h"
#include "base/file.h"
#include "emulator/files.h"
#include "emulator/unprivileged.h"
#include "emulator/version.h"

namespace emud {
namespace {

constexpr std::size_t header_size = 65536;
constexpr std::string_view static_hint =
    "Use a static one: install the package qemu-user-static (on newer Debian: qemu-user), or give "
    "one with 'emuctl emulator install --file'";
constexpr std::string_view file_hint =
    "Give a complete, static QEMU user-mode emulator built for this machine, such as "
    "qemu-aarch64-static";

Failure refuse(std::string_view name, std::string_view reason, std::string_view hint = file_hint) {
  return fail(Errc::bad_emulator, "check emulator", name, reason, hint);
}

// " 'first line'", or nothing where nothing was printed.
std::string in_quotes(std::string_view output) {
  const std::string line = first_line(output);
  return line.empty() ? line : fmt::format(" '{}'", line);
}

Result<> check_header(int binary, std::string_view name) {
  std::vector<std::byte> bytes(header_size);
  const ssize_t count = ::pread(binary, bytes.data(), bytes.size(), 0);
  if (count < 0) return fail_errno("read", name);
  bytes.resize(static_cast<std::size_t>(count));
  const auto elf = read_elf(bytes, name);
  if (!elf) return refuse(name, elf.error().reason);
  const Architecture& host = host_architecture();
  if (elf->machine != host.machine || elf->is_64_bit != host.is_64_bit ||
      elf->is_big_endian != host.is_big_endian) {
    return refuse(name, fmt::format("it is not a program for this machine ({})", host.name));
  }
  if (elf->has_interpreter) {
    return refuse(name, "it is dynamically linked, so it would not start in another root directory",
                  static_hint);
  }
  return {};
}

// Runs it with these arguments and, where image is given, that file as descriptor 3.
Result<UnprivilegedOutcome> run_emulator(int binary, const Architecture& architecture,
                                         std::string argument, std::optional<int> image,
                                         std::string_view name) {
  UnprivilegedProgram program{.program = binary,
                              .name = std::string{name},
                              .arguments = {fmt::format("qemu-{}", architecture.name), argument},
                              .descriptors = {},
                              .data = rlim_t{2} << 30,
                              .processes = 128};
  if (image) program.descriptors.push_back(*image);
  auto outcome = run_unprivileged(program);
  if (!outcome && outcome.error().code != Errc::system &&
      outcome.error().code != Errc::permission_denied) {
    outcome.error().code = Errc::bad_emulator;  // it hung, flooded or cannot be executed
  }
  if (!outcome && outcome.error().errno_value == ENOEXEC) outcome.error().code = Errc::bad_emulator;
  return outcome;
}

Result<std::string> ask_version(int binary, const Architecture& architecture,
                                std::string_view name) {
  EMUD_ASSIGN(const auto outcome, run_emulator(binary, architecture, "--version", {}, name));
  if (!outcome.succeeded()) {
    return refuse(name, fmt::format("asked for its version, it {}{}",
                                    describe_status(outcome.status), in_quotes(outcome.errors)));
  }
  const auto banner = parse_banner(outcome.output);
  if (!banner) {
    return refuse(name,
                  fmt::format("asked for its version, it printed{}, not 'qemu-{} version ...'",
                              outcome.output.empty() ? " nothing" : in_quotes(outcome.output),
                              architecture.name));
  }
  if (banner->architecture != architecture.name) {
    return refuse(name,
                  fmt::format("it emulates {}, not {}", banner->architecture, architecture.name),
                  fmt::format("Install it with --arch {}", banner->architecture));
  }
  return banner->version;
}

Result<UniqueFd> make_image_file(std::span<const std::byte> image, int scratch) {
  EMUD_ASSIGN(UniqueFd file, make_unnamed_file(scratch, "the store"));
  EMUD_TRY(write_all(file.get(), "the probe image",
                     {reinterpret_cast<const char*>(image.data()), image.size()}));
  // QEMU refuses a program without execute permission (linux-user/linuxload.c).
  if (::fchmod(file.get(), 0555) != 0) return fail_errno("set the mode of", "the probe image");
  return file;
}

Result<> run_probe(int binary, const Architecture& architecture, int scratch,
                   std::string_view name) {
  const auto image = probe_image(architecture);
  if (image.empty()) return {};
  EMUD_ASSIGN(const UniqueFd file, make_image_file(image, scratch));
  EMUD_ASSIGN(const auto outcome,
              run_emulator(binary, architecture, "/proc/self/fd/3", file.get(), name));
  // QEMU 10's ppc emulators say before it that they cannot resolve the name of an unnamed file.
  if (!outcome.succeeded() || !outcome.output.ends_with(probe_line)) {
    return refuse(name, fmt::format("given a tiny {} program, it {} and printed{}{}",
                                    architecture.name, describe_status(outcome.status),
                                    outcome.output.empty() ? " nothing" : in_quotes(outcome.output),
                                    in_quotes(outcome.errors)));
  }
  return {};
}

}  // namespace

Result<std::string> inspect_emulator(int binary, const Architecture& architecture, int scratch,
                                     std::string_view name) {
  EMUD_TRY(check_header(binary, name));
  EMUD_ASSIGN(std::string version, ask_version(binary, architecture, name));
  EMUD_TRY(run_probe(binary, architecture, scratch, name));
  return version;
}

}  // namespace emud
