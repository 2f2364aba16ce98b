// Long work that several clients ask for at the same time and that is done once.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/async.h"
#include "daemon/worker.h"

namespace emud {

class SharedJobs {
 public:
  explicit SharedJobs(const asio::any_io_executor& executor) : executor_(executor) {}

  // Runs the work in a helper process (worker.h), unless work of the same key runs already: then
  // its result is taken. The listener hears of the progress, the latest where it is slow; it must
  // outlive the call and must not be a capturing lambda coroutine. When the last one who waits is
  // cancelled, the work is ended.
  [[nodiscard]] Task<Result<std::string>> run(std::string key, ReportingWork work,
                                              const ReportListener& listener);

 private:
  struct Job {
    explicit Job(const asio::any_io_executor& executor)
        : changed(executor, asio::steady_timer::time_point::max()) {}
    std::string progress;
    unsigned revision = 0;  // of the progress
    std::optional<Result<std::string>> result;
    int waiting = 0;
    asio::cancellation_signal stop;
    asio::steady_timer changed;  // cancelled at each change
  };
  class Share;

  [[nodiscard]] Task<void> follow(std::shared_ptr<Job> job, std::string key, ReportingWork work);
  [[nodiscard]] static Task<void> publish(std::shared_ptr<Job> job, std::string text);
  void forget(const std::string& key, const Job* job);

  asio::any_io_executor executor_;
  std::map<std::string, std::shared_ptr<Job>, std::less<>> jobs_;
};

}  // namespace emud
