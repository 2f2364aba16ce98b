// Any text as a message: it is refused, or it is read into a struct whose own text is read into the
// same struct again.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/errors.h"
#include "wire/messages.h"

namespace {

using namespace emud;
using namespace emud::wire;

void require(bool condition) {
  if (!condition) std::abort();
}

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

constexpr std::array targets{
    read_envelopes,
    carry_bytes,
    reread<RunCall>,
    reread<RunReply>,
    reread<GetStatusReply>,
    reread<AcquireCall>,
    reread<AcquireReply>,
    reread<RegisterCall>,
    reread<RegisterReply>,
    reread<UnregisterCall>,
    reread<UnregisterReply>,
    reread<InstallEmulatorCall>,
    reread<InstallEmulatorReply>,
    reread<ReleaseCall>,
    reread<CancelCall>,
    reread<RemoveEmulatorCall>,
    reread<WaitReply>,
    reread<SignalCall>,
    reread<ResizeCall>,
    reread<GetInfoReply>,
    reread<GetInterfaceDescriptionCall>,
    reread<GetInterfaceDescriptionReply>,
    reread<Nothing>,
};

}  // namespace

// The first byte chooses the message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  targets[data[0] % targets.size()](text);
  return 0;
}
