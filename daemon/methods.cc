// The table of methods and privileges. A method that is not here does not exist.
#include <algorithm>
#include <array>

#include "daemon/call.h"
#include "wire/errors.h"

namespace emud {
namespace {

// Run is open to whom private leases are open to; the host scope inside it asks for the group
// itself. InstallEmulator by descriptor brings bytes of the caller's choice into the store: its
// digest is checked, but nobody vouches for it, hence root (checked in the method, so that the
// refusal names the reason).
constexpr std::array table{
    MethodEntry{"GetStatus", Privilege::anyone, get_status},
    MethodEntry{"Run", Privilege::private_scope, run},
    MethodEntry{"Acquire", Privilege::group, acquire},
    MethodEntry{"Release", Privilege::anyone, release},  // of one's own lease only
    MethodEntry{"Cancel", Privilege::anyone, cancel},    // of one's own lease, or root
    MethodEntry{"Register", Privilege::group, register_handlers},
    MethodEntry{"Unregister", Privilege::group, unregister_handlers},
    MethodEntry{"InstallEmulator", Privilege::group, install_emulator},
    MethodEntry{"RemoveEmulator", Privilege::group, remove_emulator},
};

}  // namespace

const MethodEntry* find_method(std::string_view name) {
  const auto* found = std::ranges::find(table, name, &MethodEntry::name);
  return found == table.end() ? nullptr : found;
}

Task<void> CallContext::progress(std::string parameters) {
  if (!call.more) co_return;
  wire::Reply reply{.parameters = std::move(parameters), .error = {}, .continues = true};
  [[maybe_unused]] const auto sent = co_await channel.send(Frame{wire::encode(reply)});
}

}  // namespace emud
