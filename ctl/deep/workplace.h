// The empty directory that a check works in.
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace emud::ctl {

// A new directory of the caller's, mode 0700, below $TMPDIR (else /tmp). Removed with all in it at
// the end of its life at the latest; where emuctl is killed before, by the next one to be made
// there.
class [[nodiscard]] Workplace {
 public:
  [[nodiscard]] static Result<Workplace> make();
  Workplace(Workplace&& other) noexcept;
  Workplace& operator=(Workplace&&) = delete;
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Result<UniqueFd> open() const;

  // Removes it, and tells what went wrong.
  [[nodiscard]] Result<> remove();

 private:
  Workplace(std::string path, UniqueFd held) : path_(std::move(path)), held_(std::move(held)) {}
  std::string path_;  // empty: removed
  UniqueFd held_;     // against being swept
};

}  // namespace emud::ctl
