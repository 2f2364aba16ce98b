#include "emulator/unfetched.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "emulator/files.h"

namespace emud {

std::optional<std::string> UnfetchedPackages::recall(const CatalogPackage& package) const {
  const std::string path = fmt::format("{}/{}", directory_, package.sha256);
  const auto file = open_trusted(AT_FDCWD, path, 0, path);
  if (!file) return std::nullopt;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::chrono::seconds age{now - file->status.st_mtim.tv_sec};
  if (age < std::chrono::seconds{0} || age > lifetime) return std::nullopt;
  auto reason = read_all(file->fd.get(), path, 65536);
  if (!reason) return std::nullopt;
  return *std::move(reason);
}

void UnfetchedPackages::remember(const CatalogPackage& package, std::string_view reason) const {
  const auto directory = make_directories(directory_, 0755);
  if (directory) (void)replace_file(directory->get(), package.sha256, reason, 0644);
}

void UnfetchedPackages::forget(const CatalogPackage& package) const {
  ::unlink(fmt::format("{}/{}", directory_, package.sha256).c_str());
}

}  // namespace emud
