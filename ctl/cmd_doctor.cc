#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/context.h"
#include "ctl/doctor/report.h"
#include "ctl/output.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

struct DoctorOptions {
  bool json = false;
  bool verbose = false;
  bool list = false;
};

int doctor(const Context& context, const DoctorOptions& options) {
  if (options.list) return finish(print(options.json ? kinds_json() : kinds_text()));
  const auto diagnoses = examine(this_machine(endpoint(context), context.version));
  const auto printed =
      print(options.json ? diagnosis_json(diagnoses)
                         : diagnosis_text(diagnoses, options.verbose, uses_colour(STDOUT_FILENO)));
  if (!printed) return finish(printed);
  return has_errors(diagnoses) ? wire::exit_not_ready : 0;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  const auto options = std::make_shared<DoctorOptions>();
  CLI::App* verb =
      app.add_subcommand("doctor", "Look for what would stop a build, and say how it is mended");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Tell what is in order, too");
  verb->add_flag("--list", options->list, "Examine nothing: list all that can be found");
  verb->footer(
      "Needs neither root nor emud, and changes nothing. Exit status: 3 if something would stop a "
      "build or gives root away, else 0.");
  verb->callback([options, &context] { context.status = doctor(context, *options); });
}

}  // namespace emud::ctl
