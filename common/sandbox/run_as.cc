#include "sandbox/run_as.h"

#include <unistd.h>

#include <csignal>

#include "sandbox/process.h"

namespace emud {

bool run_as(const Identity& identity, int timeout_ms, const std::function<bool()>& work) {
  auto child = clone_child();
  if (!child) return false;
  if (!*child) {
    close_other_fds({});
    ::_exit(become(identity) && work() ? 0 : 1);
  }
  const auto status = child->wait(timeout_ms);
  if (!status) {  // it waits in the kernel, for a file system perhaps: nobody can wait for that
    child->signal(SIGKILL);
    child->forget();
  }
  return status && status->signal == 0 && status->code == 0;
}

}  // namespace emud
