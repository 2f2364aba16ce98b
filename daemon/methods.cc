// The table of methods and privileges. A method that is not here does not exist.
#include <algorithm>
#include <array>

#include "daemon/call.h"
#include "wire/errors.h"

namespace emud {
namespace {

// Run is open to whom private leases are open to; the host scope inside it asks for the group
// itself. InstallEmulator by descriptor or URL brings bytes of the caller's choice into the store:
// its digest is checked, but nobody vouches for it, hence root (checked in the method, so that the
// refusal names the reason); the catalog's entries are for the group.
constexpr std::array table{
    MethodEntry{.name = "GetStatus",
                .privilege = Privilege::anyone,
                .method = get_status,
                .only_looks = true,
                .price = 5},
    MethodEntry{.name = "Monitor",
                .privilege = Privilege::anyone,
                .method = monitor,
                .needs_more = true,
                .only_looks = true},
    MethodEntry{
        .name = "Run", .privilege = Privilege::private_scope, .method = run, .brings_up = true},
    MethodEntry{
        .name = "Acquire", .privilege = Privilege::group, .method = acquire, .brings_up = true},
    // Of one's own lease; root of everybody's.
    MethodEntry{.name = "Release", .privilege = Privilege::anyone, .method = release},
    MethodEntry{.name = "Cancel", .privilege = Privilege::anyone, .method = cancel},
    MethodEntry{.name = "Register",
                .privilege = Privilege::group,
                .method = register_handlers,
                .brings_up = true},
    MethodEntry{.name = "Unregister", .privilege = Privilege::group, .method = unregister_handlers},
    MethodEntry{.name = "InstallEmulator",
                .privilege = Privilege::group,
                .method = install_emulator,
                .brings_up = true},
    MethodEntry{.name = "RemoveEmulator", .privilege = Privilege::group, .method = remove_emulator},
    MethodEntry{.name = "VerifyEmulators",
                .privilege = Privilege::group,
                .method = verify_emulators,
                .brings_up = true},
    MethodEntry{.name = "PruneEmulators", .privilege = Privilege::group, .method = prune_emulators},
    MethodEntry{.name = "ListEmulators",
                .privilege = Privilege::anyone,
                .method = list_emulators,
                .only_looks = true,
                .price = 5},
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
