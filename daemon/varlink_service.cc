#include "daemon/varlink_service.h"

#include "daemon/version.h"
#include "wire/errors.h"
#include "wire/interfaces.h"

namespace emud {
namespace {

wire::Reply get_info() {
  wire::GetInfoReply info{.vendor = "emud",
                          .product = "emud",
                          .version = std::string{version},
                          .url = "https://varlink.org",
                          .interfaces = {}};
  for (const auto& interface : wire::interfaces()) {
    if (interface.name != wire::keeper_interface)
      info.interfaces.emplace_back(interface.name);  // not on this socket
  }
  return {.parameters = wire::to_json(info), .error = {}, .continues = false};
}

wire::Reply get_description(const wire::Call& call) {
  const auto request = wire::from_json<wire::GetInterfaceDescriptionCall>(call.parameters);
  if (!request) return wire::invalid_parameter(request.error());
  for (const auto& interface : wire::interfaces()) {
    if (interface.name == request->interface) {
      return {.parameters = wire::to_json(
                  wire::GetInterfaceDescriptionReply{std::string{interface.description}}),
              .error = {},
              .continues = false};
    }
  }
  return wire::interface_not_found(request->interface);
}

}  // namespace

std::optional<wire::Reply> serve_varlink_service(const wire::Call& call) {
  if (call.method == "org.varlink.service.GetInfo") return get_info();
  if (call.method == "org.varlink.service.GetInterfaceDescription") return get_description(call);
  return std::nullopt;
}

}  // namespace emud
