#include "daemon/fetcher/download.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "daemon/fetcher/reason.h"
#include "emulator/fetcher.h"

namespace emud::fetcher {
namespace {

using Clock = std::chrono::steady_clock;
using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

constexpr std::size_t max_certificates_size = std::size_t{16} << 20;
constexpr std::size_t max_headers_size = std::size_t{256} << 10;  // of all answers together
constexpr std::chrono::milliseconds between_reports{100};

// In PEM. libcurl reads its file at the first connection, which is too late here.
std::string& certificates() {
  static std::string text;
  return text;
}

// Whether another connection may bring the rest.
bool is_broken_connection(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_GOT_NOTHING || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

class Transfer {
 public:
  Transfer(const Job& job, int output, int progress)
      : job_(job),
        output_(output),
        progress_(progress),
        begin_(Clock::now()),
        curl_(curl_easy_init(), curl_easy_cleanup) {}

  Result<> run() {
    EMUD_TRY(set_up());
    std::string broken;
    for (unsigned attempt = 0; attempt < max_attempts; ++attempt) {
      EMUD_ASSIGN(const Attempt outcome, attempt_once());
      if (outcome.is_complete) return report(true);
      broken = outcome.broken;
    }
    return bad_source(fmt::format("{} (in {} attempts)", broken, max_attempts));
  }

 private:
  struct Attempt {
    bool is_complete = false;
    std::string broken{};  // why another attempt may help
  };

  template <class Value>
  void set(CURLoption option, Value value) {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(curl_.get(), option, value);
  }

  Result<> set_up() {
    if (!curl_) return fail(Errc::system, "download", job_.url, "out of memory");
    set(CURLOPT_URL, job_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, long{max_redirects});
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "emud-fetcher");
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(job_.connect.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, min_bytes_per_second);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(job_.stall.count()));
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::take_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::look);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    curl_blob roots{certificates().data(), certificates().size(), CURL_BLOB_NOCOPY};
    if (!certificates().empty()) {
      set(CURLOPT_CAINFO_BLOB, &roots);
      set(CURLOPT_PROXY_CAINFO_BLOB, &roots);
    }
    if (code_ == CURLE_OK) return {};
    return fail(Errc::system, "set up", "libcurl", curl_easy_strerror(code_));
  }

  Result<Attempt> attempt_once() {
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(done_));
    start_ = done_;
    error_[0] = '\0';
    location_.clear();
    is_first_ = true;
    const CURLcode code = curl_easy_perform(curl_.get());
    if (failure_) return *failure_;
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    // RFC 9110, 15.5.17: what is there does not reach that far.
    if (start_ > 0 && (code == CURLE_RANGE_ERROR || status == 416)) return start_again();
    if (is_broken_connection(code)) {
      return Attempt{.broken = fmt::format("the connection broke after {} bytes: {}", done_,
                                           describe(curl_.get(), {code, error_, location_}))};
    }
    if (code != CURLE_OK) return bad_source(describe(curl_.get(), {code, error_, location_}));
    if (status != (start_ > 0 ? 206 : 200)) return bad_source(describe_status(status));
    // Without a Content-Length the end of the connection is the end of the file.
    if (job_.is_exact && done_ < job_.max_size) {
      return Attempt{.broken = fmt::format("it ended after {} bytes of {}", done_, job_.max_size)};
    }
    return Attempt{.is_complete = true};
  }

  Result<Attempt> start_again() {
    if (::ftruncate(output_, 0) != 0 || ::lseek(output_, 0, SEEK_SET) != 0) {
      return fail_errno("write", "the download");
    }
    done_ = 0;
    return Attempt{.broken = "the connection broke, and the server does not send the rest alone"};
  }

  // The first bytes of a body: the answer's headers are complete.
  void check_announcement() {
    curl_off_t length = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length < 0) return;
    const std::uint64_t all = start_ + static_cast<std::uint64_t>(length);
    all_ = all;
    if (job_.is_exact && all != job_.max_size) {
      failure_ = bad_source(fmt::format("it announces {} bytes instead of {}", all, job_.max_size));
    } else if (all > job_.max_size) {
      failure_ =
          bad_source(fmt::format("it announces {} bytes, and {} are allowed", all, job_.max_size));
    }
  }

  std::size_t take(std::string_view bytes) {
    if (std::exchange(is_first_, false)) check_announcement();
    if (failure_) return CURL_WRITEFUNC_ERROR;
    if (bytes.size() > job_.max_size - done_) {
      failure_ = bad_source(fmt::format("it is longer than {} bytes", job_.max_size));
      return CURL_WRITEFUNC_ERROR;
    }
    if (auto written = write_all(output_, "the download", bytes); !written) {
      failure_ = std::unexpected(std::move(written).error());
      return CURL_WRITEFUNC_ERROR;
    }
    done_ += bytes.size();
    return bytes.size();
  }

  // A source that stays just above the low-speed limit would take hours.
  void check_pace() {
    const auto taken = std::chrono::floor<std::chrono::seconds>(Clock::now() - begin_);
    if (taken <= job_.grace + std::chrono::seconds{done_ / min_average}) return;
    failure_ = bad_source(too_slow(done_, taken));
  }

  Result<> report(bool is_last) {
    if (!is_last && Clock::now() < next_report_) return {};
    next_report_ = Clock::now() + between_reports;
    const std::uint64_t all = job_.is_exact || is_last ? (is_last ? done_ : job_.max_size) : all_;
    return write_all(progress_, "the progress", fmt::format("{} {}\n", done_, all));
  }

  // libcurl does not tell where a redirect leads to that it does not follow.
  void note_location(std::string_view header) {
    constexpr std::string_view name = "location:";
    const auto same = [](char a, char b) { return a == b || a + ('a' - 'A') == b; };
    if (header.size() < name.size() ||
        !std::ranges::equal(header.substr(0, name.size()), name, same)) {
      return;
    }
    header.remove_prefix(name.size());
    header.remove_prefix(std::min(header.find_first_not_of(" \t"), header.size()));
    location_ = header.substr(0, header.find_last_not_of("\r\n") + 1);
  }

  static std::size_t take_body(const char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->take({bytes, count});
  }

  static std::size_t take_header(const char* bytes, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.headers_ += count;
    transfer.note_location({bytes, count});
    if (transfer.headers_ <= max_headers_size) return count;
    transfer.failure_ =
        bad_source(fmt::format("it sent more than {} KiB of headers", max_headers_size >> 10));
    return CURL_WRITEFUNC_ERROR;
  }

  // libcurl calls it at least about once a second, whatever comes (CURLOPT_XFERINFOFUNCTION(3)).
  static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.check_pace();
    return !transfer.failure_ && transfer.report(false) ? 0 : 1;
  }

  const Job& job_;
  const int output_;
  const int progress_;
  const Clock::time_point begin_;
  Clock::time_point next_report_;
  Curl curl_;
  CURLcode code_ = CURLE_OK;  // of setting up
  char error_[CURL_ERROR_SIZE] = {};
  std::uint64_t done_ = 0;   // bytes written
  std::uint64_t start_ = 0;  // where this attempt began
  std::uint64_t all_ = 0;    // as announced; 0: unknown
  std::size_t headers_ = 0;
  std::string location_;            // where the last redirect led to
  bool is_first_ = true;            // no byte of this attempt's body yet
  std::optional<Failure> failure_;  // why a callback ended the transfer
};

}  // namespace

Result<> prepare_downloading() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return fail(Errc::system, "start", "libcurl");
  }
  const char* chosen = std::getenv("SSL_CERT_FILE");
  if (chosen != nullptr && *chosen != '\0') {
    EMUD_ASSIGN(certificates(), read_file(chosen, max_certificates_size));
    return {};
  }
  // Where libcurl was built to look, then Debian's and Fedora's places. Without any, https fails
  // with its reason.
  const char* built_in = curl_version_info(CURLVERSION_NOW)->cainfo;
  for (const char* path : {built_in, "/etc/ssl/certs/ca-certificates.crt",
                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}) {
    if (path == nullptr) continue;
    if (auto text = read_file(path, max_certificates_size)) {
      certificates() = *std::move(text);
      return {};
    }
  }
  return {};
}

Result<> download(const Job& job, int output, int progress) {
  return Transfer{job, output, progress}.run();
}

}  // namespace emud::fetcher
