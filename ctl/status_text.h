// `emuctl status` for people.
#pragma once

#include <string>

#include "wire/messages.h"

namespace emud::ctl {

// Kernel support, handlers, leases, emulators. `now` (seconds since 1970) is what the leases' ages
// are counted from.
[[nodiscard]] std::string status_text(const wire::GetStatusReply& status, std::int64_t now,
                                      bool colour);

// One line for an event: local time, kind, text.
[[nodiscard]] std::string event_text(const wire::Event& event, bool colour);

// The table of `emuctl emulator list`; one line that says so for none.
[[nodiscard]] std::string emulators_text(const std::vector<wire::Emulator>& emulators);

}  // namespace emud::ctl
