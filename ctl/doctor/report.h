// What doctor found, as text and as JSON.
#pragma once

#include <string>
#include <vector>

#include "ctl/doctor/checks.h"

namespace emud::ctl {

// What one check found.
struct Diagnosis {
  const DoctorCheck* check;
  Findings findings;
};

// Runs all checks.
[[nodiscard]] std::vector<Diagnosis> examine(const Machine& machine);

// Whether there is a finding of level error.
[[nodiscard]] bool has_errors(const std::vector<Diagnosis>& diagnoses);

// {"version":1,"ready":...,"checks":[{check, about, findings: [{id, level, what, meaning,
// mend}], remarks: [...]}]} and a line break.
[[nodiscard]] std::string diagnosis_json(const std::vector<Diagnosis>& diagnoses);

// Each finding with what it means and what mends it; where there is none, one line. verbose: the
// checks without findings and all remarks too.
[[nodiscard]] std::string diagnosis_text(const std::vector<Diagnosis>& diagnoses, bool verbose,
                                         bool colour);

// The table of all findings: id, levels, meaning.
[[nodiscard]] std::string kinds_text();
[[nodiscard]] std::string kinds_json();

}  // namespace emud::ctl
