// What it means when the kernel refuses binfmt_misc something, as errors that say what to do next.
#pragma once

#include "base/result.h"
#include "binfmt/rule.h"

namespace emud {

// mount(2) of binfmt_misc at its place. not_supported by the kernel, or permission_denied.
[[nodiscard]] Failure mount_refused(int error);

// open(2) of `register` for writing: about this binfmt_misc and the rights in it. The file belongs
// to uid 0 of its user namespace, mode 0200 (fs/binfmt_misc.c, bm_fill_super).
[[nodiscard]] Failure open_refused(int error);

// write(2) of a rule into it: about the rule, and the interpreter that the kernel opens then
// because of the flag F (bm_register_write; open_exec in fs/exec.c).
[[nodiscard]] Failure write_refused(int error, const Rule& rule);

}  // namespace emud
