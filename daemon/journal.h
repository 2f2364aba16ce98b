// emud's log as records of the systemd journal, where stderr goes there.
#pragma once

#include "base/log.h"

namespace emud {

// From now on log() sends to the journal with its fields if stderr is the journal's stream
// (systemd.exec(5), $JOURNAL_STREAM); else it stays the text it is.
void use_journal();

}  // namespace emud
