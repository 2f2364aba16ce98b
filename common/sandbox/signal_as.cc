#include "sandbox/signal_as.h"

#include <unistd.h>

#include <csignal>

#include "sandbox/process.h"

namespace emud {

bool signal_group_as(const Identity& identity, pid_t group, int number) {
  auto child = clone_child();
  if (!child) return false;
  if (!*child) {
    close_other_fds({});
    const bool sent = become(identity) && ::kill(-group, number) == 0;
    ::_exit(sent ? 0 : 1);
  }
  const auto status = child->wait();
  return status && status->signal == 0 && status->code == 0;
}

}  // namespace emud
