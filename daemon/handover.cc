#include "daemon/handover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include <cstdlib>
#include <memory>

#include "base/log.h"
#include "daemon/worker.h"

namespace emud {
namespace {

constexpr std::string_view holder_prefix = "emud-lease-";  // FDNAME=
constexpr std::uint64_t bus_limit_us = 1'000'000;
constexpr const char* systemd_name = "org.freedesktop.systemd1";

struct Free {
  void operator()(char* text) const { std::free(text); }
  void operator()(sd_bus* bus) const { ::sd_bus_flush_close_unref(bus); }
  void operator()(sd_bus_message* message) const { ::sd_bus_message_unref(message); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Failure bus_failure(int result, std::string_view action, std::string_view object) {
  return fail_errno(-result, action, object);
}

// The type of the job that systemd does on this process's unit: "restart", "stop", ...; empty if
// there is none.
Result<std::string> job_type() {
  char* text = nullptr;
  if (const int result = ::sd_pid_get_unit(0, &text); result < 0)
    return bus_failure(result, "find", "the unit of emud");
  const Owned<char> unit{text};
  if (const int result = ::sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.get(), &text);
      result < 0) {
    return bus_failure(result, "name", unit.get());
  }
  const Owned<char> path{text};
  sd_bus* opened = nullptr;
  if (const int result = ::sd_bus_open_system(&opened); result < 0)
    return bus_failure(result, "connect to", "the system bus");
  const Owned<sd_bus> bus{opened};
  ::sd_bus_set_method_call_timeout(bus.get(), bus_limit_us);
  sd_bus_message* answer = nullptr;
  if (const int result =
          ::sd_bus_get_property(bus.get(), systemd_name, path.get(),
                                "org.freedesktop.systemd1.Unit", "Job", nullptr, &answer, "(uo)");
      result < 0) {
    return bus_failure(result, "ask systemd for the job of", unit.get());
  }
  const Owned<sd_bus_message> property{answer};
  std::uint32_t id = 0;
  const char* job = nullptr;
  if (const int result = ::sd_bus_message_read(property.get(), "(uo)", &id, &job); result < 0)
    return bus_failure(result, "read", "systemd's answer");
  if (id == 0) return std::string{};
  if (const int result = ::sd_bus_get_property_string(
          bus.get(), systemd_name, job, "org.freedesktop.systemd1.Job", "JobType", nullptr, &text);
      result < 0) {
    return bus_failure(result, "ask systemd for the type of", job);
  }
  const Owned<char> type{text};
  return std::string{type.get()};
}

}  // namespace

PassedFds take_passed_fds() {
  PassedFds passed;
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int at = 0; at < count; ++at) {
    const int fd = SD_LISTEN_FDS_START + at;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    const Owned<char> name{names[at]};
    const std::string_view text = name.get();
    if (text.starts_with(holder_prefix)) {
      passed.holders.emplace(text.substr(holder_prefix.size()), UniqueFd{fd});
    } else {
      passed.sockets.emplace_back(fd);
    }
  }
  std::free(static_cast<void*>(names));
  return passed;
}

void store_holder(std::string_view lease, int pidfd) {
  const std::string state = fmt::format("FDSTORE=1\nFDNAME={}{}", holder_prefix, lease);
  ::sd_pid_notify_with_fds(0, 0, state.c_str(), &pidfd, 1);
}

void drop_holder(std::string_view lease) {
  ::sd_notify(0, fmt::format("FDSTOREREMOVE=1\nFDNAME={}{}", holder_prefix, lease).c_str());
}

Task<bool> is_being_restarted() {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) co_return false;
  const Work ask = job_type;
  const auto type = co_await run_worker(ask);
  if (!type) log(Level::notice, type.error().message());
  co_return type && (*type == "restart" || *type == "try-restart");
}

}  // namespace emud
