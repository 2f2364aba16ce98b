#include "daemon/fetcher/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/file.h"
#include "daemon/fetcher/members.h"
#include "emulator/fetcher.h"

namespace emud::fetcher {
namespace {

using Archive = std::unique_ptr<archive, decltype(&archive_read_free)>;

Failure refuse(std::string_view object, std::string_view reason) {
  return fail(Errc::bad_package, "unpack", object, reason);
}

Failure broken(archive* source, std::string_view object) {
  const char* reason = archive_error_string(source);
  return refuse(object, reason != nullptr ? reason : "it is broken");
}

Archive new_archive() {
  return Archive{archive_read_new(), archive_read_free};
}

// The next member; nullptr at the end.
Result<archive_entry*> next_member(archive* source, std::string_view object) {
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(source, &entry);
  if (status == ARCHIVE_EOF) return nullptr;
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return broken(source, object);
  return entry;
}

// The data archive, read out of the package member by which libarchive stands.
class DataArchive {
 public:
  DataArchive(archive* package, std::span<Output> outputs)
      : package_(package), outputs_(outputs), archive_(new_archive()) {}

  Result<> unpack() {
    archive* source = archive_.get();
    if (source == nullptr) return fail(Errc::system, "open", "data archive", "out of memory");
    archive_read_support_format_tar(source);
    archive_read_support_filter_gzip(source);
    archive_read_support_filter_xz(source);
    archive_read_support_filter_zstd(source);
    if (archive_read_open(source, this, nullptr, read_package, nullptr) != ARCHIVE_OK) {
      return broken(source, "data archive");
    }
    for (unsigned count = 0;; ++count) {
      EMUD_ASSIGN(archive_entry* const entry, next_member(source, "data archive"));
      if (entry == nullptr) return {};
      if (count >= max_members) return refuse("data archive", "it has too many members");
      EMUD_TRY(unpack_member(entry));
    }
  }

 private:
  static la_ssize_t read_package(archive* source, void* self, const void** buffer) {
    auto& data = *static_cast<DataArchive*>(self);
    const la_ssize_t count =
        archive_read_data(data.package_, data.buffer_.data(), data.buffer_.size());
    if (count < 0) {
      archive_set_error(source, archive_errno(data.package_), "%s",
                        archive_error_string(data.package_));
    }
    *buffer = data.buffer_.data();
    return count;
  }

  Result<> unpack_member(archive_entry* entry) {
    EMUD_ASSIGN(const std::string path, members_.add(entry));
    const auto output = std::ranges::find(outputs_, path, &Output::member);
    if (output == outputs_.end()) return copy_data(path, nullptr);
    if (archive_entry_filetype(entry) == AE_IFLNK) return refuse(path, "it is a symbolic link");
    if (archive_entry_filetype(entry) != AE_IFREG) return refuse(path, "it is not a regular file");
    EMUD_TRY(copy_data(path, &*output));
    output->is_written = true;
    return {};
  }

  // Reads a member to its end, within the bounds, and writes it where an output is given.
  Result<> copy_data(const std::string& path, Output* output) {
    for (std::uint64_t size = 0;;) {
      const la_ssize_t count = archive_read_data(archive_.get(), content_.data(), content_.size());
      if (count < 0) return broken(archive_.get(), path);
      if (count == 0) return {};
      size += static_cast<std::uint64_t>(count);
      total_ += static_cast<std::uint64_t>(count);
      if (size > max_member_size) {
        return refuse(path, fmt::format("it is larger than {} MiB", max_member_size >> 20));
      }
      if (total_ > max_total_size) {
        return refuse("data archive",
                      fmt::format("it is larger than {} MiB unpacked", max_total_size >> 20));
      }
      if (output == nullptr) continue;
      output->size = size;
      EMUD_TRY(write_all(output->fd, path, {content_.data(), static_cast<std::size_t>(count)}));
    }
  }

  archive* package_;
  std::span<Output> outputs_;
  Archive archive_;
  Members members_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{1} << 16);
  std::vector<char> content_ = std::vector<char>(std::size_t{1} << 16);
  std::uint64_t total_ = 0;
};

}  // namespace

Result<> unpack_package(int package, std::span<Output> outputs) {
  const Archive source = new_archive();
  if (!source) return fail(Errc::system, "open", "package", "out of memory");
  archive_read_support_format_ar(source.get());
  if (archive_read_open_fd(source.get(), package, std::size_t{1} << 16) != ARCHIVE_OK) {
    return broken(source.get(), "package");
  }
  bool is_first = true;
  bool has_data = false;
  for (;;) {
    EMUD_ASSIGN(archive_entry* const entry, next_member(source.get(), "package"));
    if (entry == nullptr) break;
    const char* text = archive_entry_pathname(entry);
    const std::string_view name = text != nullptr ? text : "";
    // deb(5): the first member is debian-binary.
    if (is_first && name != "debian-binary") return refuse("package", "it is no Debian package");
    is_first = false;
    if (!name.starts_with("data.tar")) continue;
    if (has_data) return refuse("package", "it has two data archives");
    has_data = true;
    EMUD_TRY(DataArchive(source.get(), outputs).unpack());
  }
  if (!has_data) return refuse("package", "it has no data archive");
  return {};
}

}  // namespace emud::fetcher
