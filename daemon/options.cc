#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <utility>

#include "daemon/version.h"

namespace emud {
namespace {

int report(const CLI::App& app, const CLI::ParseError& error) {
  const int status = app.exit(error);
  return status == 0 ? 0 : 2;
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
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-leases-per-user", options.max_leases_per_user,
                 "Leases of one user at the same time")
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-connections", options.max_connections, "Connections at the same time")
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--max-connections-per-user", options.max_connections_per_user,
                 "Connections of one user at the same time")
      ->capture_default_str()
      ->type_name("N");
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
    return std::unexpected(report(app, error));
  }
  if (access == "group") options.private_access = PrivateAccess::group;
  options.log_level = level_named(level);
  return options;
}

}  // namespace emud
