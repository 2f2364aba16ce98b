// A mirror on 127.0.0.1 that answers as the test wants, byte by byte.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace emud::test {

struct MirrorRequest {
  std::string path;                          // "/good"
  std::optional<std::size_t> range_start{};  // "Range: bytes=N-"
};

class MirrorConnection {
 public:
  explicit MirrorConnection(int fd) : fd_(fd) {}
  // False once the client has hung up.
  bool send(std::string_view bytes) const;
  // Waits until the client hangs up.
  void wait() const;

 private:
  int fd_;
};

// Serves one connection after the other, each for one request, in a thread of its own.
class Mirror {
 public:
  using Handler = std::function<void(const MirrorRequest&, const MirrorConnection&)>;
  explicit Mirror(Handler handler);
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

  [[nodiscard]] std::string url(std::string_view path) const;
  [[nodiscard]] std::vector<MirrorRequest> requests();

 private:
  void serve();

  Handler handler_;
  UniqueFd listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<MirrorRequest> requests_;
  std::thread thread_;
};

// The head of an answer: "200 OK" and further header lines, without the line ends.
[[nodiscard]] std::string head(std::string_view status, const std::vector<std::string>& lines = {});

// A good answer with these bytes, or those from the range's start on.
[[nodiscard]] std::string whole(std::string_view bytes, std::optional<std::size_t> start = {});

}  // namespace emud::test
