// Any text as a message: it is refused, or it is read into a struct whose own text is read into the
// same struct again.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/require.h"
#include "wire/errors.h"
#include "wire/messages.h"

namespace {

using namespace emud;
using namespace emud::wire;

template <class Message>
void reread(std::string_view text) {
  const auto message = from_json<Message>(text);
  if (!message) {
    require(message.error().code == Errc::invalid_argument && !message.error().object.empty());
    return;
  }
  const std::string json = to_json(*message);
  const auto again = from_json<Message>(json);
  require(again && to_json(*again) == json);
}

void read_envelopes(std::string_view text) {
  if (const auto call = parse_call(text)) {
    const auto again = parse_call(encode(*call));
    require(again && again->method == call->method && again->parameters == call->parameters);
    require(again->more == call->more && again->oneway == call->oneway);
    reread<RunCall>(call->parameters);
  }
  if (const auto reply = parse_reply(text)) {
    const auto again = parse_reply(encode(*reply));
    require(again && again->error == reply->error && again->parameters == reply->parameters);
    const Error error = error_of(*reply);
    const Error copy = error_of(error_reply(manager_interface, error));
    require(copy.object == error.object && copy.reason == error.reason);
  }
}

// Any bytes as a command's argument.
void carry_bytes(std::string_view bytes) {
  if (bytes.find('\0') != bytes.npos) return;
  RunCall call;
  call.arguments = {"command", std::string{bytes}};
  const auto read = from_json<RunCall>(to_json(call));
  require(read && read->arguments == call.arguments);
}

using Reader = void (*)(std::string_view);

#define EMUD_MESSAGE(name) {#name, reread<name>}
constexpr std::pair<std::string_view, Reader> readers[]{
    {"envelope", read_envelopes},
    {"bytes", carry_bytes},
    EMUD_MESSAGE(RunCall),
    EMUD_MESSAGE(RunReply),
    EMUD_MESSAGE(GetStatusReply),
    EMUD_MESSAGE(AcquireCall),
    EMUD_MESSAGE(AcquireReply),
    EMUD_MESSAGE(RegisterCall),
    EMUD_MESSAGE(RegisterReply),
    EMUD_MESSAGE(UnregisterCall),
    EMUD_MESSAGE(UnregisterReply),
    EMUD_MESSAGE(InstallEmulatorCall),
    EMUD_MESSAGE(InstallEmulatorReply),
    EMUD_MESSAGE(MonitorReply),
    EMUD_MESSAGE(ReleaseCall),
    EMUD_MESSAGE(CancelCall),
    EMUD_MESSAGE(RemoveEmulatorCall),
    EMUD_MESSAGE(VerifyEmulatorsReply),
    EMUD_MESSAGE(PruneEmulatorsReply),
    EMUD_MESSAGE(ListEmulatorsReply),
    EMUD_MESSAGE(WaitReply),
    EMUD_MESSAGE(SignalCall),
    EMUD_MESSAGE(ResizeCall),
    EMUD_MESSAGE(GetInfoReply),
    EMUD_MESSAGE(GetInterfaceDescriptionCall),
    EMUD_MESSAGE(GetInterfaceDescriptionReply),
    EMUD_MESSAGE(Nothing),
};
#undef EMUD_MESSAGE

}  // namespace

// The first line names what the rest is read as.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::string_view name = input.substr(0, input.find('\n'));
  if (name.size() == input.size()) return 0;
  for (const auto& [known, read] : readers) {
    if (known == name) read(input.substr(name.size() + 1));
  }
  return 0;
}
