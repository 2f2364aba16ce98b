#include "ctl/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "ctl/output.h"
#include "emulator/digest.h"

namespace emud::ctl {
namespace {

std::string age(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h", seconds / 3600);
}

std::string cpu_time(std::optional<std::int64_t> microseconds) {
  return microseconds ? fmt::format("{:.1f} s", static_cast<double>(*microseconds) / 1e6) : "-";
}

std::string memory(std::optional<std::int64_t> bytes) {
  if (!bytes) return "-";
  constexpr double mebibyte = 1 << 20;
  return fmt::format("{:.0f} MiB", static_cast<double>(*bytes) / mebibyte);
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
    if (handler.state == "lingering") holders = "nobody; it lingers";
    if (handler.reason) holders += fmt::format(" (lost: {})", *handler.reason);
    if (handler.healed > 0) holders += fmt::format(" (put back {} times)", handler.healed);
    rows.push_back({handler.architecture, handler.name, handler.version, handler.flags, holders});
  }
  return table(rows);
}

std::string foreign(const std::vector<wire::ForeignHandler>& handlers) {
  std::vector<std::vector<std::string>> rows{
      {"NAME", "ARCHITECTURE", "FLAGS", "STATE", "INTERPRETER", "NOTE"}};
  for (const auto& handler : handlers) {
    rows.push_back({handler.name, handler.architecture.value_or("-"), handler.flags,
                    handler.enabled ? "enabled" : "disabled", handler.interpreter,
                    handler.note.value_or("")});
  }
  return table(rows);
}

std::string leases(const std::vector<wire::LeaseInfo>& leases, std::int64_t now) {
  std::vector<std::vector<std::string>> rows{{"LEASE", "SCOPE", "STATE", "USER", "PID", "AGE",
                                              "CPU", "MEMORY", "ARCHITECTURES", "PURPOSE"}};
  for (const auto& lease : leases) {
    rows.push_back({lease.id, lease.scope, lease.state, lease.user, std::to_string(lease.pid),
                    age(now - lease.started), cpu_time(lease.cpu_time), memory(lease.memory),
                    listed(lease.architectures), lease.purpose.value_or("-")});
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

std::string event_text(const wire::Event& event, bool colour) {
  const auto seconds = static_cast<std::time_t>(event.time / 1'000'000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> time{};
  std::strftime(time.data(), time.size(), "%Y-%m-%d %H:%M:%S", &local);
  const bool is_trouble =
      event.kind == "fault" || event.kind == "handler_lost" || event.kind == "events_lost";
  return fmt::format("{}.{:03}  {:<18}  {}\n", time.data(), event.time / 1000 % 1000,
                     coloured(event.kind, is_trouble ? Colour::yellow : Colour::none, colour),
                     event.text);
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
