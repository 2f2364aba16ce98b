#include "ctl/probe_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/events.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

constexpr std::string_view other_emulator =
    "Try another QEMU: `emuctl emulator list`, then --emulator VERSION";

std::string check_json(const DeepOutcome& outcome) {
  return fmt::format(R"({{"check":"{}","result":"{}","detail":{},"milliseconds":{}}})",
                     outcome.check->id, to_string(outcome.result), json_string(outcome.detail),
                     outcome.milliseconds);
}

std::string deep_json(const Result<std::vector<DeepOutcome>>& deep) {
  if (!deep) return fmt::format(R"(,"deep_error":{})", error_json(deep.error()));
  std::string list;
  for (const auto& outcome : *deep) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", check_json(outcome));
  }
  return fmt::format(R"(,"checks":[{}])", list);
}

Colour colour_of(DeepResult result) {
  switch (result) {
    case DeepResult::ok:
      return Colour::green;
    case DeepResult::broken:
      return Colour::red;
    case DeepResult::not_supported:
      break;
  }
  return Colour::yellow;
}

std::string error_text(const Error& error) {
  std::string text = error.message() + "\n";
  if (!error.hint.empty()) text += fmt::format("  {}.\n", error.hint);
  return text;
}

std::string deep_text(const Result<std::vector<DeepOutcome>>& deep, bool colour) {
  if (!deep) return fmt::format("  {}", error_text(deep.error()));
  std::string text;
  std::size_t broken = 0;
  std::size_t missing = 0;
  for (const auto& outcome : *deep) {
    const std::string_view word =
        outcome.result == DeepResult::not_supported ? "not supported" : to_string(outcome.result);
    broken += outcome.result == DeepResult::broken ? 1U : 0U;
    missing += outcome.result == DeepResult::not_supported ? 1U : 0U;
    text += fmt::format("  {}{:{}}  {:15}  {}\n", coloured(word, colour_of(outcome.result), colour),
                        "", 13 - word.size(), outcome.check->id,
                        outcome.detail.empty() ? outcome.check->about : outcome.detail);
  }
  text += fmt::format("  {} checks: {} ok, {} broken, {} not supported\n", deep->size(),
                      deep->size() - broken - missing, broken, missing);
  if (broken > 0) text += fmt::format("  {}.\n", other_emulator);
  return text;
}

}  // namespace

bool Probe::is_native() const {
  return outcome && std::ranges::find(outcome->native, architecture) != outcome->native.end();
}

bool Probe::is_broken() const {
  if (!outcome) return true;
  if (!deep) return false;
  if (!*deep) return (*deep).error().code != Errc::not_supported;
  return std::ranges::any_of(
      **deep, [](const DeepOutcome& one) { return one.result == DeepResult::broken; });
}

bool Probe::is_undecided() const {
  return is_named && deep && !*deep;
}

std::string probes_json(const std::vector<Probe>& probes) {
  std::string list;
  for (const auto& probe : probes) {
    if (!list.empty()) list += ',';
    list += fmt::format(R"({{"architecture":"{}","ready":{},)", probe.architecture,
                        probe.outcome.has_value());
    list += probe.outcome ? fmt::format(R"("native":{},"scope":"{}")", probe.is_native(),
                                        probe.outcome->scope)
                          : fmt::format(R"("error":{})", error_json(probe.outcome.error()));
    if (probe.deep) list += deep_json(*probe.deep);
    list += '}';
  }
  return fmt::format("{{\"version\":1,\"probes\":[{}]}}\n", list);
}

std::string probes_text(const std::vector<Probe>& probes, bool colour) {
  std::string text;
  for (const auto& probe : probes) {
    if (!probe.outcome) {
      text +=
          fmt::format("{}: {}: {}", probe.architecture, coloured("not ready", Colour::red, colour),
                      error_text(probe.outcome.error()));
      continue;
    }
    text +=
        fmt::format("{}: {} ({})\n", probe.architecture, coloured("ready", Colour::green, colour),
                    probe.is_native() ? "this machine runs it without a handler"
                                      : probe.outcome->scope + " scope");
    if (probe.deep) text += deep_text(*probe.deep, colour);
  }
  return text;
}

}  // namespace emud::ctl
