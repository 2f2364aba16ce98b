#include "sandbox/proofs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/file.h"

namespace emud {

std::string Proofs::file(std::string_view architecture, std::string_view digest,
                         std::string_view scope) const {
  return fmt::format("{}/{}-{}-PF-{}-{}", directory_, scope, architecture, digest, boot_id());
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
