#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <string_view>

#include "ctl/command_line.h"
#include "ctl/completion.h"
#include "ctl/context.h"
#include "ctl/output.h"

namespace {

constexpr int wrong_usage = 2;
constexpr int run_failed = 125;

// A closed stdin, stdout or stderr would be taken by the next file that is opened, and messages
// would go there. Close-on-exec, so that the command finds it closed as it was.
void reserve_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
      ::_exit(run_failed);
  }
}

struct Verb {
  std::string_view name;
  void (*add)(CLI::App&, emud::ctl::Context&);
};

constexpr std::array<Verb, 10> verbs{{{"run", emud::ctl::add_run},
                                      {"build", emud::ctl::add_build},
                                      {"register", emud::ctl::add_register},
                                      {"unregister", emud::ctl::add_unregister},
                                      {"lease", emud::ctl::add_lease},
                                      {"status", emud::ctl::add_status},
                                      {"probe", emud::ctl::add_probe},
                                      {"monitor", emud::ctl::add_monitor},
                                      {"doctor", emud::ctl::add_doctor},
                                      {"emulator", emud::ctl::add_emulator}}};

// The first word that is not the global option or its value.
std::string_view first_word(std::span<char* const> words) {
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string_view word = words[at];
    if (word == "--socket") {
      ++at;
    } else if (!word.starts_with("--socket=")) {
      return word;
    }
  }
  return {};
}

// Where the first word is a verb, the others are left out: declaring them costs more than running
// most of them.
void declare(CLI::App& app, emud::ctl::Context& context, std::string_view first_word) {
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "emuctl " EMUD_VERSION);
  const bool has_command = first_word == "run" || first_word == "build";
  app.failure_message([has_command](const CLI::App* failed, const CLI::Error& error) {
    const auto is = [&](CLI::ExitCodes code) {
      return error.get_exit_code() == static_cast<int>(code);
    };
    // A mistyped word comes before what is missing, which it may have been meant for.
    const auto unknown = failed->remaining(true);
    const bool is_unknown =
        is(CLI::ExitCodes::ExtrasError) || (is(CLI::ExitCodes::RequiredError) && !unknown.empty());
    return fmt::format(
        "emuctl: {}\n  {}.\n",
        is(CLI::ExitCodes::RequiredError) && is_unknown
            ? fmt::format("The following argument was not expected: {}", fmt::join(unknown, " "))
            : error.what(),
        is_unknown && has_command
            ? "Options of the command stand behind `--`; read about emuctl's own "
              "with --help"
            : "Read about the options with --help");
  });
  app.add_option("--socket", context.socket,
                 "emud's socket (default: $EMUD_SOCKET, else /run/emud/io.emud.Manager)")
      ->type_name("PATH");
  const auto* const only = std::ranges::find(verbs, first_word, &Verb::name);
  for (const Verb& verb : verbs) {
    if (only == verbs.end() || only == &verb) verb.add(app, context);
  }
}

bool is_verb(const CLI::App& app, const std::string& word) {
  const auto has_name = [&](const CLI::App* verb) { return verb->get_name() == word; };
  return word.empty() || !app.get_subcommands(has_name).empty();
}

int unknown_verb(const std::string& word) {
  emud::ctl::report(emud::fail(emud::Errc::invalid_argument, "find verb", word,
                               "there is none of that name", "`emuctl --help` lists all verbs")
                        .error());
  return wrong_usage;
}

}  // namespace

int main(int argc, char** argv) {
  reserve_standard_descriptors();
  emud::ctl::Context context;
  context.version = EMUD_VERSION;
  CLI::App app{"Run and build for other CPU architectures", "emuctl"};
  declare(app, context, first_word({argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0))}));
  if (argc > 1 && argv[1] == std::string_view{"__complete"})
    return emud::ctl::print_completions(app, std::vector<std::string>(argv + 2, argv + argc));
  auto line = emud::ctl::split_command_line(app, std::vector<std::string>(argv + 1, argv + argc));
  context.command = std::move(line.command);
  try {
    std::ranges::reverse(line.words);  // the order CLI11 takes a list of words in
    app.parse(std::move(line.words));
  } catch (const CLI::ParseError& error) {
    if (!is_verb(app, line.verb)) return unknown_verb(line.verb);
    if (app.exit(error) == 0) return 0;  // --help and --version
    return emud::ctl::runs_command(line.verb) ? run_failed : wrong_usage;
  }
  // Not by return: taking the parser apart only copies pages that the keeper's fork has left
  // shared.
  std::exit(context.status);
}
