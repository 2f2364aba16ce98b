// Text that fits the terminal it is shown on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace emud::ctl {

// The columns of the terminal on stdout (tty_ioctl(4)); 0 where stdout is none or does not say:
// then nothing is broken.
[[nodiscard]] std::size_t output_width();

// The text in lines of at most that width, broken at spaces; the lines after the first begin with
// `indent` spaces. A word that is longer stands alone. Width 0: the text as it is.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

// As table() in output.h, in at most that width: the widest cells are broken at spaces; where that
// does not do, the last column gets lines of its own, below each row.
[[nodiscard]] std::string table_in(std::vector<std::vector<std::string>> rows, std::size_t width);

}  // namespace emud::ctl
