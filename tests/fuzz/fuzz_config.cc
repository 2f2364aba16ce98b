// Any text as the configuration file, and any arguments beside it: emud starts with options within
// their bounds, or says what is wrong and exits with 2.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "daemon/options.h"
#include "fuzz/require.h"

namespace {

using namespace emud;

// What stands between the NULs, but nothing that could name another file to read.
std::vector<std::string> arguments_in(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const std::string_view argument = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(argument.size() + 1, text.size()));
    if (argument.find("config") == std::string_view::npos) arguments.emplace_back(argument);
  }
  return arguments;
}

void check(const Options& options) {
  constexpr std::size_t many = 1'000'000;
  for (const std::size_t limit : {options.max_leases, options.max_leases_per_user,
                                  options.max_connections, options.max_connections_per_user}) {
    require(limit >= 1 && limit <= many);
  }
  require(options.max_bring_ups_per_user <= many && options.requests_per_second_per_user <= many);
  require(options.lease_limits.cpu_weight <= 10000);
  require(options.linger_seconds <= 86400 && options.reconnect_seconds <= 3600);
  require(options.kill_after_seconds >= 0 && options.kill_after_seconds <= 3600);
  require(options.kill_after() >= options.kill_after().zero());
}

}  // namespace

// The file, then the arguments, each after a NUL.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::string_view text = input.substr(0, input.find('\0'));
  const UniqueFd file{::memfd_create("fuzz", MFD_CLOEXEC)};
  require(write_all(file.get(), "fuzz", text).has_value());
  std::vector<std::string> words{"emud", "--config", fmt::format("/proc/self/fd/{}", file.get())};
  if (text.size() < input.size()) {
    std::ranges::move(arguments_in(input.substr(text.size() + 1)), std::back_inserter(words));
  }
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  const auto options = parse_options(static_cast<int>(pointers.size()), pointers.data());
  if (options) {
    check(*options);
  } else {
    require(options.error() == 2 || options.error() == 0);  // 0: --help and --version
  }
  return 0;
}
