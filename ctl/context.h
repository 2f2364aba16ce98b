// What main hands to the verbs, and what they hand back.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace emud::ctl {

struct Context {
  std::string version;               // of this emuctl
  std::string socket;                // --socket; empty where it was not given
  std::vector<std::string> command;  // run and build: the words of the command
  int status = 0;                    // what emuctl exits with, set by the verb
};

// Where emud is looked for.
struct Endpoint {
  std::string path;
  bool is_explicit =
      false;  // named by --socket or $EMUD_SOCKET: then nothing else is tried instead
};

// --socket, else $EMUD_SOCKET where it is not empty, else the system's path.
[[nodiscard]] Endpoint endpoint(const Context& context);

// Each verb declares its options and sets context.status when it has run. The context outlives the
// app.
void add_run(CLI::App& app, Context& context);
void add_build(CLI::App& app, Context& context);
void add_register(CLI::App& app, Context& context);
void add_unregister(CLI::App& app, Context& context);
void add_lease(CLI::App& app, Context& context);
void add_monitor(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_probe(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_emulator(CLI::App& app, Context& context);

}  // namespace emud::ctl
