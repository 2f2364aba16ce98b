#include "ctl/context.h"

#include <cstdlib>

#include "base/paths.h"

namespace emud::ctl {

Endpoint endpoint(const Context& context) {
  if (!context.socket.empty()) return {context.socket, true};
  const char* variable = std::getenv("EMUD_SOCKET");
  if (variable != nullptr && *variable != '\0') return {variable, true};
  return {Paths::system().socket, false};
}

}  // namespace emud::ctl
