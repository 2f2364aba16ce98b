#include "ctl/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace emud::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json event(std::string_view name) {
  return Json{{"version", 1}, {"event", name}};
}

Json members(const Error& error) {
  return Json{{"code", to_string(error.code)}, {"action", error.action}, {"object", error.object},
              {"errno", error.errno_value},    {"reason", error.reason}, {"hint", error.hint},
              {"message", error.message()}};
}

template <class Value>
void set(Json& object, const char* name, const std::optional<Value>& value) {
  if (value) object[name] = *value;
}

}  // namespace

Result<EventStream> EventStream::open(std::optional<int> fd) {
  if (!fd) return EventStream{};
  const int flags = ::fcntl(*fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0) {
    return fail(Errc::invalid_argument, "write events to", fmt::format("descriptor {}", *fd),
                "it is not open for writing",
                "Open it in the shell, as in `--json-events 3 3>FILE`");
  }
  return EventStream{*fd};
}

void EventStream::progress(const wire::Progress& progress) {
  if (fd_ < 0) return;
  Json line = event("progress");
  line["step"] = progress.step;
  line["object"] = progress.object;
  set(line, "done", progress.done);
  set(line, "total", progress.total);
  write(dump(line));
}

void EventStream::lease(const LeaseEvent& lease) {
  if (fd_ < 0) return;
  Json line = event("lease");
  line["lease"] = lease.lease;
  line["scope"] = lease.scope;
  line["architectures"] = lease.architectures;
  line["native"] = lease.native;
  line["notes"] = lease.notes;
  write(dump(line));
}

void EventStream::waited(const wire::WaitReply& reply) {
  if (!reply.stopped) {
    end_ = reply;
    return;
  }
  if (fd_ < 0) return;
  Json line = event("stop");
  line["signal"] = *reply.stopped;
  write(dump(line));
}

void EventStream::exit(int status) {
  if (fd_ < 0) return;
  Json line = event("exit");
  line["status"] = status;
  set(line, "signal", end_.signal);
  set(line, "coreDumped", end_.core_dumped);
  set(line, "userTime", end_.user_time);
  set(line, "systemTime", end_.system_time);
  set(line, "maximumResidentSet", end_.maximum_resident_set);
  write(dump(line));
}

void EventStream::error(const Error& error) {
  if (fd_ < 0) return;
  Json line = event("error");
  line.update(members(error));
  write(dump(line));
}

void EventStream::write(std::string_view line) {
  // The signal of a broken pipe is taken away again: the run goes on without its watcher.
  sigset_t pipe_only;
  sigset_t before;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  ::sigprocmask(SIG_BLOCK, &pipe_only, &before);
  if (!write_all(fd_, "the events' descriptor", fmt::format("{}\n", line))) {
    fd_ = -1;
    constexpr timespec at_once{};
    ::sigtimedwait(&pipe_only, nullptr, &at_once);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

std::string error_json(const Error& error) {
  return dump(members(error));
}

std::string json_string(std::string_view text) {
  return dump(Json(text));
}

std::string json_list(const std::vector<std::string>& words) {
  return dump(Json(words));
}

}  // namespace emud::ctl
