#include "ctl/doctor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "ctl/events.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

std::string finding_json(const Finding& finding) {
  return fmt::format(R"({{"id":"{}","level":"{}","what":{},"meaning":{},"mend":{}}})",
                     finding.kind->id, to_string(finding.level), json_string(finding.what),
                     json_string(finding.kind->meaning), json_string(finding.mend));
}

Colour colour_of(Level level) {
  switch (level) {
    case Level::note:
      return Colour::bold;
    case Level::warning:
      return Colour::yellow;
    case Level::error:
      break;
  }
  return Colour::red;
}

std::string finding_text(const Finding& finding, bool colour) {
  std::string text = fmt::format(
      "{}: {} [{}]\n  {}.\n", coloured(to_string(finding.level), colour_of(finding.level), colour),
      finding.what, finding.kind->id, finding.kind->meaning);
  std::istringstream lines{finding.mend};
  for (std::string line; std::getline(lines, line);) text += fmt::format("    {}\n", line);
  return text;
}

}  // namespace

std::vector<Diagnosis> examine(const Machine& machine) {
  std::vector<Diagnosis> diagnoses;
  for (const DoctorCheck& check : doctor_checks()) {
    Diagnosis diagnosis{.check = &check, .findings = {}};
    check.run(machine, diagnosis.findings);
    diagnoses.push_back(std::move(diagnosis));
  }
  return diagnoses;
}

bool has_errors(const std::vector<Diagnosis>& diagnoses) {
  return std::ranges::any_of(diagnoses, [](const Diagnosis& diagnosis) {
    return std::ranges::any_of(diagnosis.findings.all(), [](const Finding& finding) {
      return finding.level == Level::error;
    });
  });
}

std::string diagnosis_json(const std::vector<Diagnosis>& diagnoses) {
  std::string checks;
  for (const auto& [check, findings] : diagnoses) {
    std::string list;
    for (const Finding& finding : findings.all()) {
      list += fmt::format("{}{}", list.empty() ? "" : ",", finding_json(finding));
    }
    checks += fmt::format(R"({}{{"check":"{}","about":{},"findings":[{}],"remarks":{}}})",
                          checks.empty() ? "" : ",", check->id, json_string(check->about), list,
                          json_list(findings.remarks()));
  }
  return fmt::format("{{\"version\":1,\"ready\":{},\"checks\":[{}]}}\n", !has_errors(diagnoses),
                     checks);
}

std::string diagnosis_text(const std::vector<Diagnosis>& diagnoses, bool verbose, bool colour) {
  std::string text;
  bool is_well = true;
  for (const auto& [check, findings] : diagnoses) {
    is_well = is_well && findings.size() == 0;
    if (verbose && findings.size() == 0) {
      text += fmt::format("{}: {}\n", coloured("ok", Colour::green, colour), check->about);
    }
    if (verbose) {
      for (const auto& remark : findings.remarks()) text += fmt::format("  {}\n", remark);
    }
    for (const Finding& finding : findings.all()) text += finding_text(finding, colour);
  }
  if (is_well) text += "All is well: builds for other architectures can run here.\n";
  return text;
}

std::string kinds_text() {
  std::string text;
  for (const auto& [id, levels, meaning] : finding_kinds()) {
    text += fmt::format("{} ({})\n  {}.\n", id, levels, meaning);
  }
  return text;
}

std::string kinds_json() {
  std::string list;
  for (const auto& [id, levels, meaning] : finding_kinds()) {
    list += fmt::format(R"({}{{"id":"{}","levels":{},"meaning":{}}})", list.empty() ? "" : ",", id,
                        json_string(levels), json_string(meaning));
  }
  return fmt::format("{{\"version\":1,\"findings\":[{}]}}\n", list);
}

}  // namespace emud::ctl
