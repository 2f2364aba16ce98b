#include "ctl/run_session.h"

#include <utility>

namespace emud::ctl {
namespace {

std::vector<std::string> words_of(std::optional<std::vector<std::string>>& words) {
  return words ? std::move(*words) : std::vector<std::string>{};
}

}  // namespace

Result<RunSession> start_through_daemon(Client& client, RunRequest request,
                                        const ProgressHandler& progress) {
  const bool has_command = !request.call.arguments.empty();
  EMUD_ASSIGN(auto answer,
              ask_with_progress<wire::RunReply>(client, "io.emud.Manager.Run", request.call,
                                                std::move(request.fds), progress));
  auto& [reply, fds] = answer;
  RunSession session{.keeper = {},
                     .keeper_process = {},
                     .lease = reply.lease.value_or(""),
                     .scope = reply.scope.value_or(""),
                     .architectures = words_of(reply.architectures),
                     .native = words_of(reply.native),
                     .notes = words_of(reply.notes)};
  if (!reply.keeper) {
    if (!has_command) return session;
    return fail(Errc::protocol, "start", "the command", "emud's answer names no keeper",
                "Look whether emud and emuctl are of the same version: `emuctl status`");
  }
  if (*reply.keeper < 0 || std::cmp_greater_equal(*reply.keeper, fds.size())) {
    return fail(Errc::protocol, "start", "the command", "the keeper's channel did not come along",
                "Raise the limit of open files (`ulimit -n`), or look into emud's log");
  }
  session.keeper.emplace(std::move(fds[static_cast<std::size_t>(*reply.keeper)]));
  return session;
}

}  // namespace emud::ctl
