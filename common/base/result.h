// What can go wrong, as a value. Exceptions are for bugs; everything a user or the machine can
// cause comes back as an Error that names what was done, to what, why it failed and what to do
// next.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace emud {

// What kind of failure it was. wire/errors maps each to a Varlink error and an exit status, in one
// place.
enum class Errc {
  invalid_argument,        // the caller's words are wrong
  unknown_architecture,    // no such guest CPU
  not_found,               // a file, emulator, lease or handler that is not there
  permission_denied,       // the caller may not, or the kernel refused
  not_supported,           // this kernel or machine cannot
  exists,                  // something of that name is there already
  busy,                    // in use
  read_only,               // EROFS
  digest_mismatch,         // the bytes are not those that were promised
  bad_emulator,            // not a static QEMU user emulator for this machine
  bad_package,             // an archive that is broken or hostile
  not_ready,               // a probe failed
  limit_exceeded,          // a bound of size or number
  command_not_found,       // exit status 127
  command_not_executable,  // exit status 126
  protocol,                // the peer does not speak as it should
  disconnected,            // the peer is gone
  cancelled,               // somebody asked for the end
  timed_out,
  system,    // any other failed system call
  internal,  // a bug, reported rather than hidden
};

struct Error {
  Errc code = Errc::internal;
  std::string action;   // what was tried: "register handler"
  std::string object;   // on what: "emud-aarch64", a path, an argument
  int errno_value = 0;  // the system's reason, 0 where there is none
  std::string reason;   // why, where errno does not say it all
  std::string hint;     // what to do next; a full sentence without the full stop

  // One line without the hint: `register handler emud-aarch64: Read-only file system`.
  [[nodiscard]] std::string message() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

// An error that is not a system call's: `return fail(Errc::not_found, "find emulator", arch, "...",
// "...")`.
[[nodiscard]] Failure fail(Errc code, std::string_view action, std::string_view object,
                           std::string_view reason = {}, std::string_view hint = {});

// An error from errno, taken at the call. The code follows errno (EACCES, EPERM: permission_denied;
// EROFS: read_only; ENOENT: not_found; EEXIST: exists; EBUSY, ETXTBSY: busy; else system). Where
// descriptors, memory or space have run out the hint says so: always for descriptors, else in the
// place of none.
[[nodiscard]] Failure fail_errno(std::string_view action, std::string_view object,
                                 std::string_view hint = {});
[[nodiscard]] Failure fail_errno(int errno_value, std::string_view action, std::string_view object,
                                 std::string_view hint = {});

// Errc <-> its name in snake_case, as it travels in messages and JSON output.
[[nodiscard]] std::string_view to_string(Errc code);
[[nodiscard]] Errc errc_from_string(std::string_view name);  // internal for a name it does not know

}  // namespace emud

// Hands the Error of a failed Result on to the caller; the value of a good one is dropped.
#define EMUD_TRY(expression)                                \
  do {                                                      \
    if (auto emud_try_ = (expression); !emud_try_) {        \
      return std::unexpected(std::move(emud_try_).error()); \
    }                                                       \
  } while (false)

#define EMUD_CONCAT_(a, b) a##b
#define EMUD_CONCAT(a, b) EMUD_CONCAT_(a, b)
#define EMUD_ASSIGN_(temporary, declaration, expression)                \
  auto temporary = (expression);                                        \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)

// EMUD_ASSIGN(auto fd, open_file(...)): the value of a good Result, or its Error handed on.
#define EMUD_ASSIGN(declaration, ...) \
  EMUD_ASSIGN_(EMUD_CONCAT(emud_assign_, __LINE__), declaration, (__VA_ARGS__))
