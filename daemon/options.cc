#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include "daemon/config_file.h"
#include "emulator/url.h"
#include "emulator/version.h"

#include "daemon/version.h"  // last: its name would be hidden by parameters of the headers above

namespace emud {
namespace {

int report(const CLI::App& app, const ConfigFile& file, const CLI::ParseError& error) {
  const auto complaint = file.complaint(app.get_config_ptr()->as<std::string>(), error);
  if (!complaint.empty()) {
    std::fputs(complaint.c_str(), stderr);
    return 2;
  }
  const int status = app.exit(error);
  return status == 0 ? 0 : 2;
}

// What CLI11 prints after the option's name; empty for a good one.
std::string wrong_with_url(const std::string& url) {
  const auto checked = check_url(url);
  return checked ? std::string{} : checked.error().message();
}

// "none" is 0, which is no limit.
const CLI::Validator none_is_zero{[](std::string& value) {
                                    if (value == "none") value = "0";
                                    return std::string{};
                                  },
                                  "", "none"};

// Sizes of memory in bytes, or with k, M, G, T.
const CLI::AsSizeValue size_value{false};

template <class T>
void add_limit(CLI::App& app, const std::string& name, T& value, const std::string& help,
               std::uint64_t most) {
  app.add_option("--" + name, value, help)
      ->transform(none_is_zero)
      ->check(CLI::Range(std::uint64_t{0}, most))
      ->capture_default_str()
      ->type_name("N");
}

void add_size(CLI::App& app, const std::string& name, std::uint64_t& value,
              const std::string& help) {
  app.add_option("--" + name, value, help)
      ->transform(size_value)
      ->transform(none_is_zero)
      ->capture_default_str()
      ->type_name("SIZE");
}

void add_limits(CLI::App& app, Options& options) {
  constexpr std::uint64_t many = 1'000'000;
  add_limit(app, "max-bring-ups-per-user", options.max_bring_ups_per_user,
            "Bring-ups of one user worked on at the same time; more wait", many);
  add_size(app, "max-message-memory-per-user", options.max_message_memory_per_user,
           "Memory that one user's unanswered messages may take in emud");
  add_limit(app, "requests-per-second-per-user", options.requests_per_second_per_user,
            "Requests that one user may make each second; more wait (0 or none: no limit)", many);
  LeaseLimits& lease = options.lease_limits;
  add_limit(app, "lease-processes", lease.processes,
            "Processes and threads of a lease that runs a command: pids.max where its cgroup has "
            "the controller, else RLIMIT_NPROC, which counts a user's processes in the lease's "
            "user namespace (in the host scope: on the machine) and never root's (0 or none: no "
            "limit)",
            1 << 22);
  add_size(app, "lease-memory", lease.memory,
           "Memory of such a lease, as 4G: memory.max without swap where its cgroup has the "
           "controller, else RLIMIT_DATA, which bounds each process and not their sum (0 or none: "
           "no limit)");
  add_limit(
      app, "lease-cpu-weight", lease.cpu_weight,
      "Its share of a busy machine, 1 to 10000, where its user's other leases have 100 (users "
      "share equally): cpu.weight where its cgroup has the controller, else a nice value for "
      "less than 100 (0 or none: as everybody)",
      10000);
  add_limit(app, "lease-seconds", lease.seconds,
            "Seconds a lease may last, host leases of `emuctl lease` included; then its command is "
            "ended and emuctl exits with 125 (0 or none: no limit)",
            1 << 30);
}

Level level_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Level>, 4> names{{{"error", Level::error},
                                                                     {"warning", Level::warning},
                                                                     {"notice", Level::notice},
                                                                     {"debug", Level::debug}}};
  for (const auto& [known, level] : names) {
    if (known == name) return level;
  }
  return Level::info;
}

}  // namespace

std::expected<Options, int> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{
      "emud runs foreign-architecture builds under a lease, through binfmt_misc and QEMU user "
      "emulation."};
  app.set_version_flag("--version", std::string{"emud "} + std::string{version});
  app.set_config("--config", std::string{default_configuration},
                 "The configuration file; every option below may stand in it");
  app.allow_config_extras(CLI::config_extras_mode::error);
  const auto file = std::make_shared<ConfigFile>();
  app.config_formatter(file);
  app.add_option("--socket", options.paths.socket,
                 "Where to listen, unless systemd passes a socket")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_option("--state-dir", options.paths.state,
                 "What survives a reboot: the store of emulators")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--runtime-dir", options.paths.runtime, "What does not: leases, remembered probes")
      ->capture_default_str()
      ->type_name("DIR");
  app.add_option("--group", options.group,
                 "The group whose members may use the host scope and the store")
      ->capture_default_str()
      ->type_name("NAME");
  std::string access = "everyone";
  app.add_option("--private", access,
                 "Who may have private leases: everyone, or group for its members only")
      ->check(CLI::IsMember({"everyone", "group"}))
      ->capture_default_str()
      ->type_name("WHO");
  app.add_option("--max-leases", options.max_leases, "Leases at the same time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-leases-per-user", options.max_leases_per_user,
                 "Leases of one user at the same time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-connections", options.max_connections, "Connections at the same time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-connections-per-user", options.max_connections_per_user,
                 "Connections of one user at the same time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--mirror", options.mirrors,
                 "A mirror of Debian's archive to fetch emulators from before apt's (repeatable)")
      ->check(CLI::Validator{wrong_with_url, "URL"})
      ->allow_extra_args(false)
      ->type_name("URL");
  app.add_option("--proxy", options.proxy,
                 "The proxy for downloads, instead of http_proxy and https_proxy")
      ->type_name("URL");
  app.add_option("--no-proxy", options.no_proxy,
                 "Hosts that are asked without a proxy, separated by commas, instead of no_proxy; "
                 "*: all")
      ->type_name("HOSTS");
  app.add_option("--download-patience", options.patience_seconds,
                 "How long a source of downloads may bring next to nothing (less than 4 KiB/s) "
                 "before the next one is asked; twice as long, and it has to have brought 16 KiB/s "
                 "on average")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_option("--default-emulator", options.default_emulator,
                 "The QEMU version for requests that name none; 7.2 takes 7.2.22 (default: the "
                 "newest installed one without a known problem, else the newest of the catalog)")
      ->check(CLI::Validator(
          [](const std::string& text) {
            return is_version(text) ? std::string{} : text + " is not a version such as 10.0";
          },
          "VERSION"))
      ->type_name("VERSION");
  app.add_flag("!--no-fetch", options.fetch,
               "Never fetch an emulator for a request; only InstallEmulator does");
  app.add_option("--catalog", options.paths.catalog, "The catalog of emulators that may be fetched")
      ->capture_default_str()
      ->type_name("FILE");
  app.add_option("--catalog-dir", options.paths.catalog_directory,
                 "The administrator's additions to the catalog: every *.json in it")
      ->capture_default_str()
      ->type_name("DIR");
  add_limits(app, options);
  app.add_option("--linger", options.linger_seconds,
                 "How long a host handler stays after its last lease, so that leases in a row do "
                 "not take it down and up again; 0: it goes with the lease")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_option("--reconnect-seconds", options.reconnect_seconds,
                 "How long a restarted emud waits for the holders of host leases to come back")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_option("--kill-after", options.kill_after_seconds,
                 "What a command is given between SIGTERM and SIGKILL when its lease is cancelled "
                 "or its client is gone")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_option("--idle-exit", options.idle_exit_seconds,
                 "End after so long without connections, host handlers and bring-ups, if systemd "
                 "passed the socket (the next connection starts emud again); 0: never")
      ->check(CLI::Range(0, 86400 * 365))
      ->capture_default_str()
      ->type_name("SECONDS");
  std::string level = "info";
  app.add_option("--log-level", level, "How much is logged: error, warning, notice, info or debug")
      ->check(CLI::IsMember({"error", "warning", "notice", "info", "debug"}))
      ->capture_default_str()
      ->type_name("LEVEL");
  app.add_option("--ready-fd", options.ready_fd,
                 "Write \"ready\" and a newline to this descriptor once emud listens")
      ->configurable(false)
      ->type_name("FD");
  app.add_flag("--reconcile", options.reconcile_only,
               "Only clean up what a crash left behind, then exit")
      ->configurable(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(report(app, *file, error));
  }
  if (access == "group") options.private_access = PrivateAccess::group;
  options.log_level = level_named(level);
  return options;
}

}  // namespace emud
