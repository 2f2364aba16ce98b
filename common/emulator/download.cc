#include "emulator/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/file.h"
#include "base/paths.h"
#include "emulator/fetcher.h"
#include "emulator/unprivileged.h"
#include "emulator/url.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_reports{50};
constexpr std::size_t max_sources = 256;
constexpr std::size_t report_limit = std::size_t{4} << 20;  // 40 bytes, ten times a second, an hour
constexpr std::string_view retry_hint =
    "Check the network (and http_proxy, https_proxy), name another mirror with --mirror, or "
    "install "
    "from a file with 'emuctl emulator install --file FILE --sha256 HEX'";

// What libcurl takes from the environment, libcurl-env(3), and the trusted certificates of a site.
// http_proxy is in lower case only: HTTP_PROXY may come from a client's header in a CGI program.
constexpr std::array passed_on{"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                               "ALL_PROXY",  "no_proxy",    "NO_PROXY",    "SSL_CERT_FILE"};

std::vector<std::string> environment(const Proxy& proxy) {
  std::vector<std::string> variables;
  for (const char* name : passed_on) {
    const std::string_view text{name};
    const bool is_exception = text == "no_proxy" || text == "NO_PROXY";
    const std::string& instead = is_exception ? proxy.except : proxy.url;
    if (!instead.empty() && text != "SSL_CERT_FILE") continue;
    if (const char* value = std::getenv(name); value != nullptr) {
      variables.push_back(fmt::format("{}={}", name, value));
    }
  }
  if (!proxy.url.empty()) variables.push_back("all_proxy=" + proxy.url);
  if (!proxy.except.empty()) variables.push_back("no_proxy=" + proxy.except);
  return variables;
}

// Not as arguments: everybody sees those, and a URL may hold a password.
Result<UniqueFd> job_file(const Download& wanted, const std::string& url) {
  UniqueFd file{::memfd_create("emud-download", MFD_CLOEXEC)};
  if (!file) return fail_errno("create", "a file in memory");
  const std::string text = fmt::format(
      "url {}\n{} {}\nconnect-seconds {}\nstall-seconds {}\ngrace-seconds {}\n", url,
      wanted.size ? "size" : "max-size", wanted.size.value_or(max_input_size),
      wanted.times.connect.count(), wanted.times.stall.count(), wanted.times.grace.count());
  EMUD_TRY(write_all(file.get(), "a file in memory", text));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("read", "a file in memory");
  return file;
}

// A line "<done> <total>" of the fetcher's; nothing for any other.
std::optional<DownloadProgress> parse_progress(std::string_view line) {
  DownloadProgress progress;
  std::uint64_t total = 0;
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const auto first = std::from_chars(begin, end, progress.done);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, total);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  if (total != 0) progress.total = total;
  return progress;
}

// The fetcher's own limits end it earlier, unless it was taken over.
std::chrono::seconds time_limit(const Download& wanted) {
  const std::uint64_t size = wanted.size.value_or(max_input_size);
  return wanted.times.connect + wanted.times.grace +
         std::chrono::seconds{size / fetcher::min_average + 1};
}

class Downloader {
 public:
  Downloader(const Store& store, const Download& wanted, const DownloadListener& listener)
      : store_(store), wanted_(wanted), listener_(listener) {}

  Result<Downloaded> run() {
    EMUD_ASSIGN(const std::string path, helper_program("emud-fetcher"));
    auto program = open_at(AT_FDCWD, path, O_RDONLY);
    if (!program) {
      program.error().hint =
          "Install emud completely, or set EMUD_LIBEXEC to where emud-fetcher is";
      return std::unexpected(std::move(program).error());
    }
    program_ = *std::move(program);
    EMUD_ASSIGN(auto downloaded, try_all(wanted_.urls));
    if (!downloaded && wanted_.more) {
      EMUD_ASSIGN(downloaded, try_all(wanted_.more()));
    }
    if (downloaded) return *std::move(downloaded);
    return nothing_served();
  }

 private:
  // Nothing when none of them serves. An error is one of this machine.
  Result<std::optional<Downloaded>> try_all(const std::vector<std::string>& urls) {
    for (const std::string& url : urls) EMUD_TRY(check_url(url));
    for (const std::string& url : urls) {
      if (tried_.size() >= max_sources || std::ranges::find(tried_, url) != tried_.end()) continue;
      tried_.push_back(url);
      EMUD_ASSIGN(auto file, try_one(url));
      if (file) return Downloaded{*std::move(file), without_credentials(url)};
    }
    return std::nullopt;
  }

  Result<std::optional<UniqueFd>> try_one(const std::string& url) {
    const std::string shown = without_credentials(url);
    EMUD_ASSIGN(UniqueFd file, store_.make_temporary());
    if (listener_) listener_({shown, 0, wanted_.size});
    EMUD_ASSIGN(const auto outcome, run_fetcher(url, shown, file));
    EMUD_ASSIGN(const bool has_served, check_outcome(outcome, shown));
    if (!has_served) return std::nullopt;
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) return fail_errno("examine", wanted_.name);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (wanted_.size && size != *wanted_.size) {
      blame(shown, fmt::format("it sent {} bytes instead of {}", size, *wanted_.size));
      return std::nullopt;
    }
    EMUD_ASSIGN(const auto digest, Digest::of_file(file.get(), wanted_.name));
    if (digest == wanted_.digest) return file;
    is_mismatch_ = true;
    blame(shown, fmt::format("it sent {} bytes with the SHA-256 {} instead of {}", size,
                             digest.hex(), wanted_.digest.hex()));
    return std::nullopt;
  }

  Result<std::optional<UnprivilegedOutcome>> run_fetcher(const std::string& url,
                                                         const std::string& shown,
                                                         const UniqueFd& file) {
    EMUD_ASSIGN(const UniqueFd job, job_file(wanted_, url));
    UnprivilegedProgram fetcher{.program = program_.get(),
                                .name = fmt::format("emud-fetcher on {}", shown),
                                .arguments = {"emud-fetcher", "download"},
                                .environment = environment(wanted_.proxy),
                                .input = job.get(),
                                .descriptors = {file.get()},
                                .time_limit = time_limit(wanted_),
                                .output_limit = report_limit,
                                .cpu_seconds = fetcher::download_cpu_seconds,
                                .file_size = wanted_.size.value_or(max_input_size)};
    auto next = Clock::now();
    bool was_last = false;
    fetcher.on_line = [&](std::string_view line) {
      auto progress = parse_progress(line);
      if (!progress || !listener_) return;
      // One that was taken over may talk much faster than it should.
      const bool is_last = progress->done == progress->total;
      if (Clock::now() < next && (!is_last || was_last)) return;
      was_last = is_last;
      next = Clock::now() + between_reports;
      progress->url = shown;
      listener_(*progress);
    };
    auto outcome = run_unprivileged(fetcher);
    if (outcome) return *std::move(outcome);
    // It ran, and talked or took too long: whatever the source did to it.
    const Errc code = outcome.error().code;
    if (code != Errc::timed_out && code != Errc::limit_exceeded) {
      return std::unexpected(std::move(outcome).error());
    }
    blame(shown, outcome.error().reason);
    return std::nullopt;
  }

  // Whether the source has served, as the fetcher says.
  Result<bool> check_outcome(const std::optional<UnprivilegedOutcome>& outcome,
                             const std::string& shown) {
    if (!outcome) return false;
    if (outcome->succeeded()) return true;
    const std::string said = first_line(outcome->errors);
    const int code = WIFEXITED(outcome->status) ? WEXITSTATUS(outcome->status) : -1;
    if (code == fetcher::exit_bad_source) {
      blame(shown, said);
      return false;
    }
    if (code == fetcher::exit_output_failed) {
      const int error = std::atoi(said.c_str());
      return fail_errno(error > 0 ? error : EIO, "write", wanted_.name);
    }
    if (WIFSIGNALED(outcome->status)) {
      blame(shown, fmt::format("emud-fetcher {}", describe_status(outcome->status)));
      return false;
    }
    return fail(Errc::system, "download", wanted_.name,
                fmt::format("emud-fetcher {}{}{}", describe_status(outcome->status),
                            said.empty() ? "" : ": ", said),
                "Check that emud and emud-fetcher are of the same version");
  }

  void blame(std::string_view shown, std::string_view reason) {
    if (!reasons_.empty()) reasons_ += "; ";
    reasons_ += fmt::format("{}: {}", shown, reason);
  }

  [[nodiscard]] Failure nothing_served() const {
    if (tried_.empty()) {
      return fail(Errc::invalid_argument, "download", wanted_.name, "there is no source",
                  "Name a mirror with --mirror");
    }
    return fail(is_mismatch_ ? Errc::digest_mismatch : Errc::not_found, "download", wanted_.name,
                reasons_, retry_hint);
  }

  const Store& store_;
  const Download& wanted_;
  const DownloadListener& listener_;
  UniqueFd program_;
  std::vector<std::string> tried_;
  std::string reasons_;
  bool is_mismatch_ = false;
};

}  // namespace

DownloadTimes DownloadTimes::of_patience(std::chrono::seconds patience) {
  return {.connect = std::min(patience, std::chrono::seconds{20}),
          .stall = patience,
          .grace = 2 * patience};
}

Result<Downloaded> download(const Store& store, const Download& wanted,
                            const DownloadListener& listener) {
  return Downloader{store, wanted, listener}.run();
}

}  // namespace emud
