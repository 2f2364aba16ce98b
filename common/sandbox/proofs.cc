#include "sandbox/proofs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"

namespace emud {
namespace {

// proc_sys_kernel(5): made anew at each boot, so it stands for the kernel as well.
std::string boot_id() {
  const auto text = read_file("/proc/sys/kernel/random/boot_id");
  return text ? text->substr(0, 36) : std::string{};
}

}  // namespace

std::string Proofs::file(std::string_view architecture, std::string_view digest,
                         std::string_view scope) const {
  static const std::string boot = boot_id();
  return fmt::format("{}/{}-{}-PF-{}-{}", directory_, scope, architecture, digest, boot);
}

bool Proofs::has(std::string_view architecture, std::string_view digest,
                 std::string_view scope) const {
  return ::access(file(architecture, digest, scope).c_str(), F_OK) == 0;
}

void Proofs::remember(std::string_view architecture, std::string_view digest,
                      std::string_view scope) const {
  if (!make_directories(directory_, 0755)) return;
  [[maybe_unused]] const auto created =
      open_at(AT_FDCWD, file(architecture, digest, scope), O_WRONLY | O_CREAT, 0644);
}

void Proofs::forget_all() const {
  const auto names = list_directory(AT_FDCWD, directory_);
  if (!names) return;
  for (const auto& name : *names) ::unlink(fmt::format("{}/{}", directory_, name).c_str());
}

}  // namespace emud
