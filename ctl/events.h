// --json-events: what happens, for programs, one JSON object a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/messages.h"

namespace emud::ctl {

// A lease that is ready.
struct LeaseEvent {
  std::string lease, scope;
  std::vector<std::string> architectures;  // by a handler
  std::vector<std::string> native, notes;
};

// Every line has "version" (1) and "event": "progress" (step, object, done, total), "lease" (the
// members of LeaseEvent), "stop" (signal), "exit" (status, as emuctl's own, and where a command ran
// its resource usage) or "error" (the members of `error_json`). A reader that went away does not
// disturb the run: nothing more is written.
class EventStream {
 public:
  EventStream() = default;  // writes nothing
  // The descriptor stays the caller's; without one nothing is written. invalid_argument if it is
  // not open for writing.
  [[nodiscard]] static Result<EventStream> open(std::optional<int> fd);

  void progress(const wire::Progress& progress);
  void lease(const LeaseEvent& lease);
  void waited(const wire::WaitReply& reply);  // a stop; the usage of an end is kept for exit()
  void exit(int status);
  void error(const Error& error);

 private:
  explicit EventStream(int fd) : fd_(fd) {}
  void write(std::string_view line);

  int fd_ = -1;
  wire::WaitReply end_;
};

// An error as a JSON object: code, action, object, errno, reason, hint, message.
[[nodiscard]] std::string error_json(const Error& error);

// A text as a JSON string, words as a JSON list of strings. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string json_string(std::string_view text);
[[nodiscard]] std::string json_list(const std::vector<std::string>& words);

}  // namespace emud::ctl
