// Which architectures a request is about.
#pragma once

#include <string>
#include <vector>

#include "emulator/store.h"

namespace emud {

// Those architectures and what each needs here.
struct Architectures {
  std::vector<const Architecture*> foreign;  // need a handler
  std::vector<std::string> native;           // names of those the CPU runs as they are
};

// Names and aliases to architectures, each once. No name at all: every one in the store, and
// not_found, with what to do, if that is empty.
[[nodiscard]] Result<std::vector<const Architecture*>> wanted_architectures(
    const Store& store, const std::vector<std::string>& names);

[[nodiscard]] std::vector<std::string> names_of(
    const std::vector<const Architecture*>& architectures);

}  // namespace emud
