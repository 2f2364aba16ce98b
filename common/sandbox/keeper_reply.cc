#include "sandbox/keeper_reply.h"

#include <sys/time.h>

namespace emud {

wire::Reply wait_reply(const ExitStatus& status, std::vector<std::string> notes) {
  wire::WaitReply ended;
  if (status.signal != 0) {
    ended.signal = status.signal;
    ended.core_dumped = status.core_dumped;
  } else {
    ended.status = status.code;
  }
  const auto microseconds = [](const timeval& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_usec;
  };
  ended.user_time = microseconds(status.usage.ru_utime);
  ended.system_time = microseconds(status.usage.ru_stime);
  ended.maximum_resident_set = status.usage.ru_maxrss;
  if (!notes.empty()) ended.notes = std::move(notes);
  return wire::Reply{.parameters = wire::to_json(ended), .error = {}, .continues = false};
}

}  // namespace emud
