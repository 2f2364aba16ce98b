#include "daemon/lease.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"

namespace emud {

std::string to_json(const LeaseRecord& record) {
  return nlohmann::json{{"id", record.id},
                        {"scope", record.scope},
                        {"architectures", record.architectures},
                        {"uid", record.uid},
                        {"pid", record.pid},
                        {"keeper", record.keeper},
                        {"keeperStart", record.keeper_start},
                        {"cgroup", record.cgroup},
                        {"temporary", record.temporary},
                        {"purpose", record.purpose},
                        {"started", record.started}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<LeaseRecord> lease_record_from_json(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    LeaseRecord record;
    json.at("id").get_to(record.id);
    json.at("scope").get_to(record.scope);
    json.at("architectures").get_to(record.architectures);
    json.at("uid").get_to(record.uid);
    json.at("pid").get_to(record.pid);
    json.at("keeper").get_to(record.keeper);
    json.at("keeperStart").get_to(record.keeper_start);
    json.at("cgroup").get_to(record.cgroup);
    json.at("temporary").get_to(record.temporary);
    json.at("purpose").get_to(record.purpose);
    json.at("started").get_to(record.started);
    return record;
  } catch (const nlohmann::json::exception& error) {
    return fail(Errc::system, "read", "the record of a lease", error.what());
  }
}

std::uint64_t process_start_time(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return 0;
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

wire::LeaseInfo Lease::info() const {
  wire::LeaseInfo info;
  info.id = record.id;
  info.scope = record.scope;
  info.state = state == LeaseState::bringing_up ? "bringing_up"
               : state == LeaseState::ready     ? "ready"
                                                : "ending";
  info.architectures = record.architectures;
  info.uid = record.uid;
  info.pid = record.pid;
  info.keeper = record.keeper;
  info.purpose = record.purpose;
  info.started = record.started;
  return info;
}

}  // namespace emud
