#include "wire/emulators.h"

namespace emud::wire {

Progress as_message(const InstallProgress& progress) {
  Progress message{progress.step, progress.object, {}, {}};
  if (progress.total == 0) return message;
  message.done = static_cast<std::int64_t>(progress.done);
  message.total = static_cast<std::int64_t>(progress.total);
  return message;
}

Emulator as_message(const Manifest& manifest) {
  return {.architecture = manifest.architecture,
          .version = manifest.version,
          .digest = manifest.digest,
          .source = manifest.source,
          .installed = manifest.installed};
}

Manifest as_manifest(const Emulator& emulator) {
  return {.architecture = emulator.architecture,
          .version = emulator.version,
          .digest = emulator.digest,
          .interpreter = {},
          .source = emulator.source,
          .package_digest = {},
          .installed = emulator.installed};
}

ListedEmulator as_message(const emud::ListedEmulator& listed) {
  ListedEmulator message{.architecture = listed.architecture,
                         .version = listed.version,
                         .digest = listed.digest,
                         .installed = listed.is_installed,
                         .is_default = listed.is_default,
                         .source = listed.source,
                         .time = {},
                         .size = static_cast<std::int64_t>(listed.size),
                         .notes = listed.notes,
                         .used_by = {}};
  if (listed.is_installed) message.time = listed.installed;
  return message;
}

CheckedEmulator as_message(const emud::CheckedEmulator& checked) {
  CheckedEmulator message;
  message.digest = checked.digest;
  if (checked.manifest) {
    message.architecture = checked.manifest->architecture;
    message.version = checked.manifest->version;
  }
  if (checked.problem) message.problem = checked.problem->message();
  if (!checked.moved_to.empty()) message.moved_to = checked.moved_to;
  return message;
}

}  // namespace emud::wire
