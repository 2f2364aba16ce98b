#include "daemon/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"

namespace emud {

std::string to_json(const LeaseRecord& record) {
  return nlohmann::json{{"id", record.id},
                        {"scope", record.scope},
                        {"architectures", record.architectures},
                        {"emulators", record.emulators},
                        {"uid", record.uid},
                        {"gid", record.gid},
                        {"payer", record.payer},
                        {"pid", record.pid},
                        {"pidStart", record.pid_start},
                        {"granted", record.granted},
                        {"keeper", record.keeper},
                        {"keeperStart", record.keeper_start},
                        {"cgroup", record.cgroup},
                        {"temporaries", record.temporaries},
                        {"commandTemporaries", record.command_temporaries},
                        {"purpose", record.purpose},
                        {"started", record.started},
                        {"ends", record.ends},
                        {"stuck", record.stuck},
                        {"processes", record.limits.processes},
                        {"memory", record.limits.memory},
                        {"cpuWeight", record.limits.cpu_weight}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<LeaseRecord> lease_record_from_json(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    LeaseRecord record;
    json.at("id").get_to(record.id);
    json.at("scope").get_to(record.scope);
    json.at("architectures").get_to(record.architectures);
    record.emulators = json.value("emulators", std::vector<std::string>{});
    json.at("uid").get_to(record.uid);
    record.gid = json.value("gid", gid_t{record.uid});
    record.payer = json.value("payer", record.uid);
    json.at("pid").get_to(record.pid);
    record.pid_start = json.value("pidStart", std::uint64_t{0});
    record.granted = json.value("granted", false);
    json.at("keeper").get_to(record.keeper);
    json.at("keeperStart").get_to(record.keeper_start);
    json.at("cgroup").get_to(record.cgroup);
    record.temporaries = json.value("temporaries", record.temporaries);
    record.command_temporaries = json.value("commandTemporaries", record.command_temporaries);
    json.at("purpose").get_to(record.purpose);
    json.at("started").get_to(record.started);
    record.ends = json.value("ends", std::int64_t{0});
    record.stuck = json.value("stuck", false);
    record.limits.processes = json.value("processes", std::uint64_t{0});
    record.limits.memory = json.value("memory", std::uint64_t{0});
    record.limits.cpu_weight = json.value("cpuWeight", std::uint64_t{0});
    return record;
  } catch (const nlohmann::json::exception& error) {
    return fail(Errc::system, "read", "the record of a lease", error.what());
  }
}

std::string name_of(const LeaseRecord& record) {
  return fmt::format("lease {} of user {}", record.id, record.uid);
}

std::chrono::seconds seconds_left(const LeaseRecord& record) {
  using std::chrono::system_clock;
  const auto left = system_clock::from_time_t(record.ends) - system_clock::now();
  return std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds{0});
}

Failure was_ended(const Lease& lease) {
  return fail(Errc::cancelled, "bring up", name_of(lease.record),
              "it was ended meanwhile: by Release or Cancel, or since emud ends",
              "Look into emud's log, which names who did it");
}

Result<std::uint64_t> process_start_time(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) {
    const int reason = text.error().errno_value;
    if (reason == ENOENT || reason == ESRCH) return 0;
    return std::unexpected(text.error());
  }
  // The command's name stands in parentheses and may hold anything; the fields behind it are plain.
  const auto end = text->rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields{text->substr(end + 1)};
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") return 0;
  for (int number = 4; number <= 21; ++number) fields >> field;
  std::uint64_t start = 0;
  fields >> start;
  return start;
}

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::bringing_up:
      return "bringing_up";
    case LeaseState::ready:
      return "ready";
    case LeaseState::reconnecting:
      return "reconnecting";
    case LeaseState::ending:
      return "ending";
    case LeaseState::stuck:
      return "stuck";
  }
  return "ending";
}

Task<void> Lease::begins_to_end() {
  while (!is_ending()) co_await changed.wait();
}

wire::LeaseInfo Lease::info() const {
  wire::LeaseInfo info;
  info.id = record.id;
  info.scope = record.scope;
  info.state = to_string(state);
  info.architectures = record.architectures;
  info.uid = record.uid;
  info.pid = record.pid;
  info.keeper = record.keeper;
  info.purpose = record.purpose;
  info.started = record.started;
  if (record.ends != 0) info.ends = record.ends;
  return info;
}

}  // namespace emud
