#include "ctl/status_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/output.h"

namespace emud::ctl {
namespace {

constexpr std::size_t short_digest = 12;

std::string age(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h", seconds / 3600);
}

std::string scope_line(std::string_view name, bool available,
                       const std::optional<std::string>& reason, bool colour) {
  return fmt::format("{} {}{}\n", name,
                     coloured(available ? "available" : "not available",
                              available ? Colour::green : Colour::yellow, colour),
                     reason ? fmt::format(" ({})", *reason) : "");
}

std::string heading(std::string_view text, bool colour) {
  return fmt::format("\n{}\n", coloured(text, Colour::bold, colour));
}

std::string handlers(const std::vector<wire::Handler>& handlers) {
  std::vector<std::vector<std::string>> rows{{"ARCHITECTURE", "NAME", "QEMU", "FLAGS", "HELD BY"}};
  for (const auto& handler : handlers) {
    std::string holders = fmt::format("{} lease{}", handler.leases, handler.leases == 1 ? "" : "s");
    if (handler.pinned) holders += handler.persistent ? ", a persistent pin" : ", a pin";
    rows.push_back({handler.architecture, handler.name, handler.version, handler.flags, holders});
  }
  return table(rows);
}

std::string foreign(const std::vector<wire::ForeignHandler>& handlers) {
  std::vector<std::vector<std::string>> rows{
      {"NAME", "ARCHITECTURE", "FLAGS", "STATE", "INTERPRETER"}};
  for (const auto& handler : handlers) {
    rows.push_back({handler.name, handler.architecture.value_or("-"), handler.flags,
                    handler.enabled ? "enabled" : "disabled", handler.interpreter});
  }
  return table(rows);
}

std::string leases(const std::vector<wire::LeaseInfo>& leases, std::int64_t now) {
  std::vector<std::vector<std::string>> rows{
      {"LEASE", "SCOPE", "STATE", "UID", "PID", "AGE", "ARCHITECTURES", "PURPOSE"}};
  for (const auto& lease : leases) {
    rows.push_back({lease.id, lease.scope, lease.state, std::to_string(lease.uid),
                    std::to_string(lease.pid), age(now - lease.started),
                    listed(lease.architectures), lease.purpose});
  }
  return table(rows);
}

}  // namespace

std::string emulators_text(const std::vector<wire::Emulator>& emulators) {
  if (emulators.empty()) return "no emulator is installed\n";
  std::vector<std::vector<std::string>> rows{
      {"ARCHITECTURE", "QEMU", "SHA-256", "INSTALLED", "SOURCE"}};
  for (const auto& emulator : emulators) {
    rows.push_back({emulator.architecture, emulator.version,
                    emulator.digest.substr(0, short_digest), emulator.installed, emulator.source});
  }
  return table(rows);
}

std::string status_text(const wire::GetStatusReply& status, std::int64_t now, bool colour) {
  std::string text =
      fmt::format("emud {} on Linux {} ({})\n", status.version, status.kernel, status.architecture);
  text += scope_line("private scope:", status.private_scope, status.private_reason, colour);
  text += scope_line("host scope:   ", status.host_scope, status.host_reason, colour);
  if (!status.handlers.empty()) {
    text += heading("Host handlers", colour) + handlers(status.handlers);
  }
  if (!status.foreign.empty()) {
    text += heading("Handlers that are not emud's", colour) + foreign(status.foreign);
  }
  if (!status.leases.empty()) text += heading("Leases", colour) + leases(status.leases, now);
  text += heading("Emulators", colour) + emulators_text(status.emulators);
  return text;
}

}  // namespace emud::ctl
