#include "base/result.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace emud {
namespace {

constexpr std::array names{
    std::pair{Errc::invalid_argument, std::string_view{"invalid_argument"}},
    std::pair{Errc::unknown_architecture, std::string_view{"unknown_architecture"}},
    std::pair{Errc::not_found, std::string_view{"not_found"}},
    std::pair{Errc::permission_denied, std::string_view{"permission_denied"}},
    std::pair{Errc::not_supported, std::string_view{"not_supported"}},
    std::pair{Errc::exists, std::string_view{"exists"}},
    std::pair{Errc::busy, std::string_view{"busy"}},
    std::pair{Errc::read_only, std::string_view{"read_only"}},
    std::pair{Errc::digest_mismatch, std::string_view{"digest_mismatch"}},
    std::pair{Errc::bad_emulator, std::string_view{"bad_emulator"}},
    std::pair{Errc::bad_package, std::string_view{"bad_package"}},
    std::pair{Errc::not_ready, std::string_view{"not_ready"}},
    std::pair{Errc::limit_exceeded, std::string_view{"limit_exceeded"}},
    std::pair{Errc::command_not_found, std::string_view{"command_not_found"}},
    std::pair{Errc::command_not_executable, std::string_view{"command_not_executable"}},
    std::pair{Errc::protocol, std::string_view{"protocol"}},
    std::pair{Errc::disconnected, std::string_view{"disconnected"}},
    std::pair{Errc::cancelled, std::string_view{"cancelled"}},
    std::pair{Errc::timed_out, std::string_view{"timed_out"}},
    std::pair{Errc::system, std::string_view{"system"}},
    std::pair{Errc::internal, std::string_view{"internal"}},
};

Errc code_of_errno(int value) {
  switch (value) {
    case EACCES:
    case EPERM:
      return Errc::permission_denied;
    case EROFS:
      return Errc::read_only;
    case ENOENT:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EBUSY:
    case ETXTBSY:
      return Errc::busy;
    case ETIMEDOUT:
      return Errc::timed_out;
    case ECONNRESET:
    case EPIPE:
      return Errc::disconnected;
    default:
      return Errc::system;
  }
}

// What to do where the machine or a limit has run out of something, whatever was tried.
// EAGAIN: of processes, fork(2); where it only means to wait nobody makes an error of it.
std::string_view exhaustion_hint(int value) {
  switch (value) {
    case EMFILE:
      return "Close file descriptors, or raise the limit of open files: `ulimit -n`";
    case ENFILE:
      return "The machine has too many open files: close some, or raise fs.file-max with sysctl";
    case EAGAIN:
      return "End some processes, or raise the limit of them (`ulimit -u`), then try again";
    case ENOMEM:
      return "Free some memory, or raise the limit on it, then try again";
    case ENOSPC:
    case EDQUOT:
      return "Free some space on its filesystem, then try again";
    default:
      return {};
  }
}

}  // namespace

std::string Error::message() const {
  std::string text = action;
  if (!object.empty()) text += fmt::format(" {}", object);
  if (!reason.empty()) text += fmt::format(": {}", reason);
  if (errno_value != 0) text += fmt::format(": {}", std::strerror(errno_value));
  return text;
}

Failure fail(Errc code, std::string_view action, std::string_view object, std::string_view reason,
             std::string_view hint) {
  return Failure{Error{code, std::string{action}, std::string{object}, 0, std::string{reason},
                       std::string{hint}}};
}

Failure fail_errno(int errno_value, std::string_view action, std::string_view object,
                   std::string_view hint) {
  const bool is_about_descriptors = errno_value == EMFILE || errno_value == ENFILE;
  if (hint.empty() || is_about_descriptors) hint = exhaustion_hint(errno_value);
  return Failure{Error{code_of_errno(errno_value),
                       std::string{action},
                       std::string{object},
                       errno_value,
                       {},
                       std::string{hint}}};
}

Failure fail_errno(std::string_view action, std::string_view object, std::string_view hint) {
  return fail_errno(errno, action, object, hint);
}

std::string_view to_string(Errc code) {
  for (const auto& [value, name] : names) {
    if (value == code) return name;
  }
  return "internal";
}

Errc errc_from_string(std::string_view name) {
  for (const auto& [value, known] : names) {
    if (known == name) return value;
  }
  return Errc::internal;
}

}  // namespace emud
