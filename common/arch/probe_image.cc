#include "arch/probe_image.h"

#include "arch/probe_program.h"

namespace emud {

std::span<const std::byte> probe_image(const Architecture& architecture) {
  for (const auto probes : probe::all_probes()) {
    for (const probe::Probe& probe : probes) {
      if (probe.program.architecture == architecture.name) return probe.image;
    }
  }
  return {};
}

}  // namespace emud
