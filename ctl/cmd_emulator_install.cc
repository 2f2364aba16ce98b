#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "arch/architecture.h"
#include "base/file.h"
#include "base/paths.h"
#include "ctl/client.h"
#include "ctl/emulator_verbs.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/status_text.h"
#include "emulator/digest.h"
#include "emulator/package.h"

namespace emud::ctl {
namespace {

struct InstallOptions {
  std::string file, digest, architecture;
  bool rootless = false, json = false, verbose = false;
};

// What is to be installed, checked as far as words can be.
struct Source {
  UniqueFd file;
  std::string name;  // absolute, for the manifest
  Digest digest;
  const Architecture* architecture;  // null: as the file says
};

Result<Source> open_source(const InstallOptions& options) {
  EMUD_ASSIGN(const Digest digest, Digest::parse(options.digest));
  const Architecture* architecture = nullptr;
  if (!options.architecture.empty()) {
    EMUD_ASSIGN(architecture, find_architecture(options.architecture));
  }
  // O_NONBLOCK: a FIFO must not keep us waiting; what is no regular file is refused where it is
  // read.
  EMUD_ASSIGN(UniqueFd file, open_at(AT_FDCWD, options.file, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  std::error_code error;
  const auto absolute = std::filesystem::absolute(options.file, error);
  return Source{std::move(file), error ? options.file : absolute.string(), digest, architecture};
}

Result<std::vector<wire::Emulator>> install_in_own_store(const Source& source) {
  EMUD_ASSIGN(Paths paths, Paths::user());
  EMUD_ASSIGN(const auto manifests, install_file(Store{std::move(paths)}, source.file.get(),
                                                 source.name, source.digest, source.architecture));
  std::vector<wire::Emulator> emulators;
  for (const auto& manifest : manifests) emulators.push_back(as_message(manifest));
  return emulators;
}

Result<std::vector<wire::Emulator>> install_through_daemon(const Context& context, Source source,
                                                           Verbosity verbosity) {
  wire::InstallEmulatorCall call{
      .file = 0, .name = std::move(source.name), .digest = source.digest.hex(), .architecture = {}};
  if (source.architecture != nullptr) call.architecture = source.architecture->name;
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(source.file));
  ProgressDisplay display{verbosity};
  EMUD_ASSIGN(auto answer, ask_with_progress<wire::InstallEmulatorReply>(
                               client, "io.emud.Manager.InstallEmulator", call, std::move(fds),
                               [&](const wire::Progress& progress) { display.show(progress); }));
  return std::move(answer.first.emulators).value_or(std::vector<wire::Emulator>{});
}

Result<> install(const Context& context, const InstallOptions& options) {
  EMUD_ASSIGN(Source source, open_source(options));
  const auto verbosity = options.verbose ? Verbosity::verbose : Verbosity::normal;
  EMUD_ASSIGN(const auto emulators,
              options.rootless ? install_in_own_store(source)
                               : install_through_daemon(context, std::move(source), verbosity));
  return print(options.json ? emulators_json(emulators) : emulators_text(emulators));
}

}  // namespace

void add_emulator_install(CLI::App& app, Context& context) {
  const auto options = std::make_shared<InstallOptions>();
  CLI::App* verb = app.add_subcommand("install", "Install from a file (needs root, or --rootless)");
  verb->add_option("--file", options->file, "A QEMU package (.deb) or one static QEMU binary")
      ->required()
      ->type_name("FILE");
  verb->add_option("--sha256", options->digest, "What the file must hash to")
      ->required()
      ->type_name("HEX");
  verb->add_option("-a,--arch", options->architecture,
                   "Which of a package's; for a binary, what it emulates")
      ->type_name("ARCH");
  verb->add_flag("--rootless", options->rootless, "Into your own store, without emud");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->callback([options, &context] { context.status = finish(install(context, *options)); });
}

}  // namespace emud::ctl
