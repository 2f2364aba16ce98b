// The typed messages of io.emud.Manager and io.emud.Keeper, and their JSON. The .varlink files
// beside this one are the contract; a test holds the two against each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace emud::wire {

// ---- envelope ---------------------------------------------------------------

struct Call {
  std::string method;      // "io.emud.Manager.Run"
  std::string parameters;  // JSON object as text
  bool more = false;
  bool oneway = false;
};

struct Reply {
  std::string parameters;  // JSON object as text
  std::string error;       // a Varlink error's full name; empty: success
  bool continues = false;
};

// The envelope only; the parameters are checked by from_json. protocol for what is not Varlink: no
// JSON, nested deeper than 16, more than 262144 values, the same member twice in one object, an
// unknown or wrongly typed member, "upgrade", "more" together with "oneway". Missing parameters are
// "{}".
[[nodiscard]] Result<Call> parse_call(std::string_view json);
[[nodiscard]] Result<Reply> parse_reply(std::string_view json);

// The text of a message. Its parameters must be a JSON object as text, or empty.
[[nodiscard]] std::string encode(const Call& call);
[[nodiscard]] std::string encode(const Reply& reply);

// Parameters of the methods and replies that have none.
struct Nothing {};

// ---- io.emud.Manager: types -------------------------------------------------

struct Emulator {
  std::string architecture, version, digest, source, installed;
};

struct ListedEmulator {
  std::string architecture, version, digest;
  bool installed = false;
  bool is_default = false;
  std::string source;
  std::optional<std::string> time;
  std::int64_t size = 0;
  std::vector<std::string> notes, used_by;
};

struct CheckedEmulator {
  std::string digest;
  std::optional<std::string> architecture, version, problem, moved_to;
  std::vector<std::string> used_by;
};

struct Handler {
  std::string architecture, name, interpreter, flags, version, digest, state;
  std::optional<std::string> reason;
  std::int64_t leases = 0;
  bool pinned = false;
  bool persistent = false;
  std::int64_t healed = 0;
};

struct ForeignHandler {
  std::string name;
  std::optional<std::string> architecture;
  std::string interpreter, flags;
  bool enabled = false;
  std::optional<std::string> note;
};

struct LeaseInfo {
  std::string id, scope, state;
  std::vector<std::string> architectures;
  std::int64_t uid = 0;
  std::string user;
  std::int64_t pid = 0, keeper = 0;
  std::optional<std::string> purpose;
  std::int64_t started = 0;  // seconds since 1970
  std::optional<std::int64_t> ends, processes, cpu_time, memory;
};

struct Limits {
  std::optional<std::int64_t> processes, memory, cpu_weight, seconds;
};

struct Progress {
  std::string step, object;
  std::optional<std::int64_t> done, total;
};

struct Event {
  std::int64_t time = 0;  // microseconds since 1970
  std::string kind;
  std::optional<std::string> architecture;
  std::optional<std::vector<std::string>> architectures;  // of a lease
  std::optional<std::string> lease, scope;
  std::optional<std::int64_t> uid, pid, lost;
  std::string text;
};

struct Descriptor {
  std::int64_t number = 0, index = 0;
};

// ---- io.emud.Manager: calls and replies -------------------------------------

struct Policy {
  std::string group;
  bool private_for_everyone = false;
  bool fetch = false;
};

struct GetStatusReply {
  std::string version, kernel, architecture;
  bool private_scope = false;
  std::optional<std::string> private_reason;
  bool host_scope = false;
  std::optional<std::string> host_reason;
  std::vector<Handler> handlers;
  std::vector<ForeignHandler> foreign;
  std::vector<LeaseInfo> leases;
  std::vector<Emulator> emulators;
  Policy policy;
};

struct AcquireCall {
  std::vector<std::string> architectures;
  std::optional<std::string> purpose, emulator;
  std::optional<bool> fetch;
  std::optional<std::string> resume;
  std::optional<std::int64_t> seconds;
};
struct AcquireReply {
  std::optional<Progress> progress;
  std::optional<std::string> lease;
  std::optional<std::vector<std::string>> native, notes;
  std::optional<std::int64_t> seconds;
};

struct ReleaseCall {
  std::string lease;
};

struct RunCall {
  std::vector<std::string> architectures;
  std::optional<std::string> scope, emulator;
  // Raw bytes here, whatever the encoding on the wire.
  std::vector<std::string> arguments, environment;
  std::int64_t working_directory = 0;
  std::vector<Descriptor> descriptors;
  std::optional<std::int64_t> terminal;
  std::int64_t umask = 022;
  std::optional<bool> nix, fresh, fetch;
  std::optional<Limits> limits;
};
struct RunReply {
  std::optional<Progress> progress;
  std::optional<std::string> lease, scope;
  std::optional<std::vector<std::string>> architectures, native, notes;
  std::optional<std::int64_t> keeper;
};

struct CancelCall {
  std::string lease;
};

struct RegisterCall {
  std::vector<std::string> architectures;
  std::optional<std::string> emulator;
  std::optional<bool> persist, fetch;
};
struct RegisterReply {
  std::optional<Progress> progress;
  std::optional<std::vector<Handler>> handlers;
  std::optional<std::vector<std::string>> native, notes;
};

struct UnregisterCall {
  std::vector<std::string> architectures;
  std::optional<bool> all;
};
struct UnregisterReply {
  std::vector<std::string> removed, still_leased;
};

struct InstallEmulatorCall {
  std::vector<std::string> architectures;
  std::optional<std::string> emulator;
  std::optional<std::int64_t> file;
  std::optional<std::string> name, url, digest;
};
struct InstallEmulatorReply {
  std::optional<Progress> progress;
  std::optional<std::vector<Emulator>> emulators;
};

struct MonitorReply {
  Event event;
};

struct RemoveEmulatorCall {
  std::string digest;
  std::optional<std::vector<std::string>> more;
};

struct VerifyEmulatorsReply {
  std::vector<CheckedEmulator> emulators;
};

struct PruneEmulatorsReply {
  std::vector<Emulator> removed;
};

struct ListEmulatorsReply {
  std::vector<ListedEmulator> emulators;
};

// ---- io.emud.Keeper ---------------------------------------------------------

struct WaitReply {
  std::optional<std::int64_t> stopped, status, signal;
  std::optional<bool> core_dumped;
  std::optional<std::int64_t> user_time, system_time, maximum_resident_set;
  std::optional<std::vector<std::string>> notes;
};

struct SignalCall {
  std::int64_t signal = 0;
};

struct ResizeCall {
  std::int64_t rows = 0, columns = 0;
};

// ---- org.varlink.service ----------------------------------------------------

struct GetInfoReply {
  std::string vendor, product, version, url;
  std::vector<std::string> interfaces;
};
struct GetInterfaceDescriptionCall {
  std::string interface;
};
struct GetInterfaceDescriptionReply {
  std::string description;
};

// ---- the two directions -----------------------------------------------------

// The parameters of a message as JSON text; members that are not set are left out. Bytes that are
// not UTF-8 become U+FFFD, except in a RunCall, whose arguments and environment then travel as
// hexadecimal digits (`encoding`).
template <class Message>
[[nodiscard]] std::string to_json(const Message& message);

// Strict: a missing, unknown or wrongly typed member, a string with an embedded NUL, an integer
// that is a float or does not fit, a list of more than 65536 elements: invalid_argument with the
// member as the object ("arguments", "descriptors[2].index"), or "parameters" where it is the whole
// text. null for an optional member is the same as leaving it out. Instantiated in messages_*.cc
// for every struct above but Call and Reply.
template <class Message>
[[nodiscard]] Result<Message> from_json(std::string_view json);

// They read and write the `encoding` of the call.
template <>
[[nodiscard]] std::string to_json(const RunCall& message);
template <>
[[nodiscard]] Result<RunCall> from_json(std::string_view json);

}  // namespace emud::wire
