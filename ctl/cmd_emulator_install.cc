#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "ctl/architecture_names.h"
#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/events.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/own_store.h"
#include "ctl/status_text.h"
#include "emulator/package.h"
#include "emulator/url_install.h"
#include "wire/emulators.h"

namespace emud::ctl {
namespace {

struct InstallOptions {
  std::vector<std::string> architectures;
  std::string emulator, file, url, digest;
  std::optional<int> json_events;
  bool rootless = false, json = false, verbose = false;

  [[nodiscard]] bool is_own_source() const { return !file.empty() || !url.empty(); }
};

using Installed = Result<std::vector<wire::Emulator>>;

// A file of the caller's choice, open, with its absolute name for the manifest.
struct SourceFile {
  UniqueFd fd;
  std::string name;
};

Result<SourceFile> open_source(const std::string& path) {
  // O_NONBLOCK: a FIFO must not keep us waiting; what is no regular file is refused where it is
  // read.
  EMUD_ASSIGN(UniqueFd file, open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return SourceFile{std::move(file), error ? path : absolute.string()};
}

// What words can tell, before anything is opened or asked.
Result<> check(const InstallOptions& options) {
  if (!options.is_own_source()) {
    if (options.architectures.empty()) {
      return fail(Errc::invalid_argument, "install", "an emulator", "no architecture is named",
                  "Name at least one, or a --file or --url; `emuctl emulator list` shows which "
                  "there are");
    }
    if (options.digest.empty()) return {};
    return fail(Errc::invalid_argument, "install", "--sha256", "it belongs to --file or --url",
                "Leave it out: the catalog knows what its emulators hash to");
  }
  if (options.digest.empty()) {
    return fail(Errc::invalid_argument, "install", options.file + options.url,
                "--sha256 is missing", "Give the SHA-256 that whoever published it names");
  }
  if (options.architectures.size() > 1) {
    return fail(Errc::invalid_argument, "install", options.file + options.url,
                "several architectures are named",
                "Name one, or none to install all that a package has");
  }
  EMUD_TRY(Digest::parse(options.digest));
  return {};
}

Installed install_own_in_own_store(const InstallOptions& options,
                                   const std::vector<std::string>& names,
                                   const ProgressHandler& progress) {
  EMUD_ASSIGN(const OwnStore own, OwnStore::open());
  EMUD_ASSIGN(const Digest digest, Digest::parse(options.digest));
  const Architecture* wanted = nullptr;
  if (!names.empty()) {
    EMUD_ASSIGN(wanted, find_architecture(names.front()));
  }
  if (!options.url.empty()) {
    const auto sink = [&](const InstallProgress& step) { progress(wire::as_message(step)); };
    EMUD_ASSIGN(const auto manifests,
                install_url(own.store, options.url, digest, wanted, {}, sink));
    return as_messages(manifests);
  }
  EMUD_ASSIGN(const SourceFile source, open_source(options.file));
  EMUD_ASSIGN(const auto manifests,
              install_file(own.store, source.fd.get(), source.name, digest, wanted));
  return as_messages(manifests);
}

Installed install_through_daemon(Client& client, const InstallOptions& options,
                                 std::vector<std::string> names, const ProgressHandler& progress) {
  wire::InstallEmulatorCall call;
  call.architectures = std::move(names);
  std::vector<UniqueFd> fds;
  if (!options.emulator.empty()) call.emulator = options.emulator;
  if (!options.digest.empty()) call.digest = options.digest;
  if (!options.url.empty()) call.url = options.url;
  if (!options.file.empty()) {
    EMUD_ASSIGN(SourceFile source, open_source(options.file));
    call.file = 0;
    call.name = std::move(source.name);
    fds.push_back(std::move(source.fd));
  }
  EMUD_ASSIGN(auto answer,
              ask_with_progress<wire::InstallEmulatorReply>(
                  client, "io.emud.Manager.InstallEmulator", call, std::move(fds), progress));
  return std::move(answer.first.emulators).value_or(std::vector<wire::Emulator>{});
}

Installed install_somewhere(const Context& context, const InstallOptions& options,
                            const ProgressHandler& progress) {
  EMUD_TRY(check(options));
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client,
              choose_engine(choice, options.verbose ? Verbosity::verbose : Verbosity::normal));
  if (client) return install_through_daemon(*client, options, std::move(names), progress);
  if (options.is_own_source()) return install_own_in_own_store(options, names, progress);
  EMUD_ASSIGN(const OwnStore own, OwnStore::open());
  return own.install(names, options.emulator, progress);
}

Result<> install(const Context& context, const InstallOptions& options) {
  EMUD_ASSIGN(EventStream events, EventStream::open(options.json_events));
  ProgressDisplay display{options.verbose ? Verbosity::verbose : Verbosity::normal};
  const auto emulators = install_somewhere(context, options, [&](const wire::Progress& progress) {
    display.show(progress);
    events.progress(progress);
  });
  display.clear();
  if (!emulators) {
    events.error(emulators.error());
    return std::unexpected(emulators.error());
  }
  return print(options.json ? emulators_json(*emulators) : emulators_text(*emulators));
}

}  // namespace

void add_emulator_install(CLI::App& app, Context& context) {
  const auto options = std::make_shared<InstallOptions>();
  CLI::App* verb = app.add_subcommand(
      "install", "Install from the catalog (needs group emud, or --rootless), or from a file");
  CLI::Option* architectures =
      verb->add_option("architectures,-a,--arch", options->architectures,
                       "Architectures; of a package with --file or --url, which of it")
          ->type_name("ARCH...");
  (void)architectures;
  CLI::Option* emulator =
      verb->add_option("--emulator", options->emulator,
                       "The QEMU version; 7.2 takes 7.2.22 (default: the catalog's newest without "
                       "a known problem)")
          ->type_name("VERSION");
  CLI::Option* file =
      verb->add_option("--file", options->file,
                       "A QEMU package (.deb) or one static QEMU binary (needs root)")
          ->type_name("FILE")
          ->excludes(emulator);
  verb->add_option("--url", options->url, "The same, to be fetched (needs root)")
      ->type_name("URL")
      ->excludes(emulator)
      ->excludes(file);
  verb->add_option("--sha256", options->digest, "What the file must hash to")->type_name("HEX");
  verb->add_flag("--rootless", options->rootless, "Into your own store, without emud");
  verb->add_option("--json-events", options->json_events,
                   "Write the progress to this descriptor, one JSON object a line")
      ->type_name("FD");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->callback([options, &context] { context.status = finish(install(context, *options)); });
}

}  // namespace emud::ctl
