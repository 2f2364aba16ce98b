#include "arch/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <string>
#include <vector>

#include "arch/architecture_table.h"
#include "arch/compound_name.h"

namespace emud {
namespace {

using namespace std::string_view_literals;
using architecture_table::table;

static_assert(std::ranges::is_sorted(table, {}, &Architecture::name));
static_assert(std::ranges::all_of(table, [](const Architecture& architecture) {
  return architecture.magic.size() == architecture.mask.size();
}));

constexpr std::size_t longest_word = 64;  // no name is nearly as long
constexpr std::size_t most_suggestions = 3;

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string to_lower(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += to_lower(c);
  return lower;
}

// The least number of letters to insert, delete, replace or swap with the next one (optimal string
// alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cells((a.size() + 1) * width);
  const auto cell = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return cells[i * width + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) cell(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cell(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cell(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      cell(i, j) = std::min({cell(i - 1, j) + 1, cell(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cell(i, j) = std::min(cell(i, j), cell(i - 2, j - 2) + 1);
      }
    }
  }
  return cell(a.size(), b.size());
}

const Architecture* look_up(std::string_view lower) {
  if (lower.empty()) return nullptr;
  for (const Architecture& architecture : table) {
    if (architecture.name == lower || architecture.nix_system == lower ||
        std::ranges::find(architecture.aliases, lower) != architecture.aliases.end()) {
      return &architecture;
    }
  }
  return nullptr;
}

// The shortest name or alias of each architecture that goes on where the word ends ("riscv"), in
// the table's order; the first name where two are of a length.
std::vector<std::string_view> continuations(std::string_view word) {
  std::vector<std::string_view> found;
  for (const Architecture& architecture : table) {
    std::string_view best;
    const auto consider = [&](std::string_view name) {
      if (name.starts_with(word) && (best.empty() || name.size() < best.size())) best = name;
    };
    consider(architecture.name);
    for (const std::string_view alias : architecture.aliases) consider(alias);
    if (!best.empty()) found.push_back(best);
  }
  return found;
}

// The names and aliases at the smallest distance, in the table's order, if they are near at all; of
// each architecture the first.
std::vector<std::string_view> neighbours(std::string_view word) {
  std::size_t best = std::max<std::size_t>(1, word.size() / 3);
  std::vector<std::string_view> found;
  for (const Architecture& architecture : table) {
    bool has_one = false;
    const auto consider = [&](std::string_view name) {
      const std::size_t distance = edit_distance(word, name);
      if (distance > best || (distance == best && has_one)) return;
      if (distance < best) found.clear();
      best = distance;
      has_one = true;
      found.push_back(name);
    };
    consider(architecture.name);
    for (const std::string_view alias : architecture.aliases) consider(alias);
  }
  return found;
}

// What somebody may have meant: names that begin with the word, then names near to it.
std::vector<std::string_view> suggestions(std::string_view word) {
  std::vector<std::string_view> found = continuations(word);
  std::ranges::stable_sort(found, {}, &std::string_view::size);
  for (const std::string_view name : neighbours(word)) {
    const Architecture* owner = look_up(name);
    if (std::ranges::none_of(found, [&](auto other) { return look_up(other) == owner; })) {
      found.push_back(name);
    }
  }
  if (found.size() > most_suggestions) found.resize(most_suggestions);
  return found;
}

// "a, b or c".
std::string one_of(std::span<const std::string_view> names) {
  if (names.size() == 1) return std::string{names.front()};
  return fmt::format("{} or {}", fmt::join(names.first(names.size() - 1), ", "), names.back());
}

// uname's machine says "mips" or "mips64" for either byte order: takes the one of this program.
const Architecture* of_native_byte_order(const Architecture* found) {
  const bool big_endian = std::endian::native == std::endian::big;
  if (found == nullptr || found->is_big_endian == big_endian) return found;
  const auto twin = std::ranges::find_if(table, [&](const Architecture& other) {
    return other.machine == found->machine && other.is_64_bit == found->is_64_bit &&
           other.is_big_endian == big_endian;
  });
  return twin == table.end() ? nullptr : &*twin;
}

}  // namespace

std::span<const Architecture> architectures() {
  return table;
}

Result<const Architecture*> find_architecture(std::string_view name) {
  if (name.size() <= longest_word && !name.empty()) {
    const std::string lower = to_lower(name);
    if (const Architecture* found = look_up(lower)) return found;
    if (const Architecture* found = look_up(cpu_of_compound_name(lower))) return found;
    if (const auto near = suggestions(lower); !near.empty()) {
      return fail(Errc::unknown_architecture, "find architecture", name,
                  "there is none of that name",
                  fmt::format("Did you mean {}? `emuctl run --help` lists all architectures",
                              one_of(near)));
    }
  }
  return fail(Errc::unknown_architecture, "find architecture", name.substr(0, longest_word),
              "there is none of that name", "`emuctl run --help` lists all architectures");
}

const Architecture& host_architecture() {
  static const std::string machine = [] {
    utsname names{};
    return std::string{::uname(&names) == 0 ? names.machine : "unknown"};
  }();
  static const Architecture unknown{.name = machine,
                                    .aliases = {},
                                    .nix_system = {},
                                    .magic = {},
                                    .mask = {},
                                    .machine = 0,
                                    .is_64_bit = sizeof(void*) == 8,
                                    .is_big_endian = std::endian::native == std::endian::big};
  static const Architecture* found = of_native_byte_order(look_up(to_lower(machine)));
  return found == nullptr ? unknown : *found;
}

std::span<const std::string_view> native_candidates(const Architecture& host) {
  static constexpr std::array aarch64{"aarch64"sv, "arm"sv};
  static constexpr std::array aarch64_be{"aarch64_be"sv, "armeb"sv};
  static constexpr std::array mips64{"mips64"sv, "mipsn32"sv, "mips"sv};
  static constexpr std::array mips64el{"mips64el"sv, "mipsn32el"sv, "mipsel"sv};
  static constexpr std::array ppc64{"ppc64"sv, "ppc"sv};
  static constexpr std::array riscv64{"riscv64"sv, "riscv32"sv};
  static constexpr std::array sparc64{"sparc64"sv, "sparc32plus"sv, "sparc"sv};
  static constexpr std::array x86_64{"x86_64"sv, "i386"sv};
  static constexpr std::array<std::span<const std::string_view>, 8> families{
      aarch64, aarch64_be, mips64, mips64el, ppc64, riscv64, sparc64, x86_64};
  for (const auto family : families) {
    if (family.front() == host.name) return family;
  }
  return {&host.name, 1};
}

}  // namespace emud
