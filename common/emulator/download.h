// The caller's side of `emud-fetcher download`: a file from the first source that has it whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/digest.h"
#include "emulator/files.h"
#include "emulator/store.h"

namespace emud {

// How long one source is given.
struct DownloadTimes {
  std::chrono::seconds connect{20};  // to resolve its name and to connect
  std::chrono::seconds stall{30};    // to be slower than fetcher::min_bytes_per_second
  std::chrono::seconds grace{60};    // for all of it, beside what fetcher::min_average asks for

  // From how long it may bring next to nothing.
  [[nodiscard]] static DownloadTimes of_patience(std::chrono::seconds patience);
};

// Of every source. What is empty is as the environment says, libcurl-env(3).
struct Proxy {
  std::string url{};     // http://, https://, socks5h:// and what else libcurl knows
  std::string except{};  // hosts that are asked directly, separated by commas; "*": all
};

// More sources, asked for once all before have failed: finding them out takes a while.
using MoreSources = std::function<std::vector<std::string>()>;

struct Download {
  std::string name;                     // for people: "qemu-user_10.0.13_amd64.deb"
  std::vector<std::string> urls{};      // tried in this order, each once
  MoreSources more{};                   // may be empty
  std::optional<std::uint64_t> size{};  // in bytes; unknown: at most max_input_size
  Digest digest;                        // what it must hash to
  Proxy proxy{};
  DownloadTimes times{};
};

struct DownloadProgress {
  std::string url;                       // without a user and password in it
  std::uint64_t done = 0;                // bytes
  std::optional<std::uint64_t> total{};  // bytes, where known
};

using DownloadListener = std::function<void(const DownloadProgress&)>;

struct Downloaded {
  UniqueFd file;    // unnamed, on the store's filesystem; hashed after the last byte was written
  std::string url;  // where it came from, without a user and password in it
};

// Tries one source after the other, each in a process of its own (an unprivileged emud-fetcher that
// dies with the caller), until one has sent a file of that size and digest. Blocks; the listener
// hears of the beginning of each source and a few times a second from it; it may be empty.
//
// Whoever had the file open for writing is gone, but run as nobody it was a user that others may be
// too: install_file copies what it hashes, and so must every other use.
//
// invalid_argument for a URL that is not http or https or holds control characters, and for none at
// all. If every source failed, the error names each with its reason: digest_mismatch if one sent
// another file, not_found else. When this machine is what failed (a full disk, emud-fetcher not
// installed), no other source is tried.
[[nodiscard]] Result<Downloaded> download(const Store& store, const Download& wanted,
                                          const DownloadListener& listener);

}  // namespace emud
