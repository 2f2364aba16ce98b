#include "ctl/deep/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/file.h"
#include "base/paths.h"
#include "ctl/deep/workplace.h"
#include "ctl/engine.h"
#include "ctl/keeper_session.h"
#include "ctl/output.h"
#include "ctl/signals.h"

namespace emud::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t output_limit = 4096;

Result<std::string> program_for(const std::string& architecture, std::string_view program) {
  EMUD_ASSIGN(std::string path, helper_program(fmt::format("deep/{}/{}", architecture, program)));
  if (::access(path.c_str(), X_OK) == 0) return path;
  if (errno != ENOENT) return fail_errno("execute", path, "It must be executable for everybody");
  return fail(Errc::not_supported, "check in depth", architecture,
              fmt::format("emud was built without a C compiler for {} that makes {} programs",
                          architecture, program),
              fmt::format("Install a cross compiler for {} with its static C library (for example "
                          "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross) and build emud again",
                          architecture));
}

// A pipe that nobody reads until the end: a check prints a line or two.
std::string printed(const UniqueFd& pipe) {
  std::string text(output_limit, '\0');
  const ssize_t count = ::read(pipe.get(), text.data(), text.size());  // it does not block
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

struct Deep {
  std::optional<Client>& client;
  const DeepOptions& options;

  [[nodiscard]] Result<RunRequest> request(const std::string& program, const DeepCheck& check,
                                           const Workplace& place, UniqueFd output) const;
  [[nodiscard]] Result<RunSession> start_in(const Workplace& place, RunRequest made);
  [[nodiscard]] Result<DeepEnd> run(const std::string& program, const DeepCheck& check,
                                    const Workplace& place);
  [[nodiscard]] Result<DeepOutcome> outcome(const DeepCheck& check);
};

// The caller's environment, limits and identity, but nothing of his open files.
Result<RunRequest> Deep::request(const std::string& program, const DeepCheck& check,
                                 const Workplace& place, UniqueFd output) const {
  RunIntent intent;
  intent.architectures = {options.architecture};
  intent.scope = options.scope;
  intent.emulator = options.emulator;
  intent.command = {program, std::string{check.check}, program};
  intent.nix = false;
  EMUD_ASSIGN(RunRequest request, make_run_request(intent));
  request.fds.clear();
  EMUD_ASSIGN(UniqueFd directory, place.open());
  EMUD_ASSIGN(UniqueFd null, open_at(AT_FDCWD, "/dev/null", O_RDWR));
  request.fds.push_back(std::move(directory));
  request.fds.push_back(std::move(null));
  EMUD_ASSIGN(UniqueFd messages, output.duplicate());  // each number has a descriptor of its own
  request.fds.push_back(std::move(output));
  request.fds.push_back(std::move(messages));
  request.call.working_directory = 0;
  request.call.descriptors = {{STDIN_FILENO, 1}, {STDOUT_FILENO, 2}, {STDERR_FILENO, 3}};
  return request;
}

// A rootless command begins in this process's own working directory.
Result<RunSession> Deep::start_in(const Workplace& place, RunRequest made) {
  EMUD_ASSIGN(const UniqueFd here, open_at(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
  EMUD_ASSIGN(const UniqueFd there, place.open());
  if (::fchdir(there.get()) != 0) return fail_errno("enter", place.path());
  auto session = start(client, std::move(made), [](const wire::Progress&) {});
  if (::fchdir(here.get()) != 0) return fail_errno("go back to", "the working directory");
  return session;
}

Result<DeepEnd> Deep::run(const std::string& program, const DeepCheck& check,
                          const Workplace& place) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make", "a pipe");
  const UniqueFd reader{ends[0]};
  UniqueFd writer{ends[1]};
  if (::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("set up", "a pipe");
  EMUD_ASSIGN(RunRequest made, request(program, check, place, std::move(writer)));
  EMUD_ASSIGN(RunSession session, start_in(place, std::move(made)));
  const std::string host_lease = session.scope == "host" ? session.lease : "";
  DeepEnd end;
  const auto on_reply = [&](const wire::WaitReply& reply) {
    end.status = static_cast<int>(reply.status.value_or(0));
    end.signal = static_cast<int>(reply.signal.value_or(0));
  };
  KeeperSession keeper{
      std::move(session),
      {.on_reply = on_reply, .time_limit = std::chrono::seconds{options.time_limit}}};
  const auto status = keeper.run();
  if (!host_lease.empty()) {
    (void)ask<wire::Nothing>(*client, "io.emud.Manager.Release", wire::ReleaseCall{host_lease});
  }
  if (!status && status.error().code != Errc::timed_out) return std::unexpected(status.error());
  end.timed_out = !status;
  if (const int signal = keeper.end_signal(); signal != 0) {
    return fail(Errc::cancelled, "check in depth", options.architecture,
                fmt::format("emuctl got signal {} ({})", signal, ::sigdescr_np(signal)));
  }
  end.output = printed(reader);
  return end;
}

Result<DeepOutcome> Deep::outcome(const DeepCheck& check) {
  auto program = program_for(options.architecture, check.program);
  if (!program) {
    return DeepOutcome{
        .check = &check, .result = DeepResult::not_supported, .detail = program.error().reason};
  }
  EMUD_ASSIGN(Workplace place, Workplace::make());
  const auto begin = Clock::now();
  EMUD_ASSIGN(const DeepEnd end, run(*program, check, place));
  DeepOutcome result = judge(check, end, options.time_limit);
  result.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  const auto removed = place.remove();
  // What was ended at the time limit may still be going.
  if (!removed && !end.timed_out) return std::unexpected(removed.error());
  return result;
}

}  // namespace

Result<std::vector<DeepOutcome>> run_deep_checks(std::optional<Client>& client,
                                                 const DeepOptions& options,
                                                 const DeepHandler& on_outcome) {
  // Where even the plain kind is missing, nothing can be said.
  if (auto any = program_for(options.architecture, "static"); !any) {
    if (!program_for(options.architecture, "pie")) return std::unexpected(any.error());
  }
  // A signal between two checks waits for the next one, whose KeeperSession answers it.
  EMUD_ASSIGN(const SignalSource signals, SignalSource::open());
  Deep deep{client, options};
  std::vector<DeepOutcome> outcomes;
  for (const DeepCheck& check : deep_checks()) {
    if (!options.only.empty() && std::ranges::find(options.only, check.id) == options.only.end()) {
      continue;
    }
    EMUD_ASSIGN(DeepOutcome outcome, deep.outcome(check));
    on_outcome(outcome);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace emud::ctl
