#include "daemon/shared_jobs.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace emud {

// One client's part in a job. The last to go without a result ends it.
class SharedJobs::Share {
 public:
  Share(SharedJobs& jobs, std::string key, std::shared_ptr<Job> job)
      : jobs_(jobs), key_(std::move(key)), job_(std::move(job)) {
    ++job_->waiting;
  }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  ~Share() {
    if (--job_->waiting > 0 || job_->result) return;
    jobs_.forget(key_, job_.get());  // whoever comes now begins anew
    job_->stop.emit(asio::cancellation_type::terminal);
  }

 private:
  SharedJobs& jobs_;
  std::string key_;
  std::shared_ptr<Job> job_;
};

Task<Result<std::string>> SharedJobs::run(std::string key, ReportingWork work,
                                          const ReportListener& listener) {
  auto& slot = jobs_[key];
  const bool is_new = slot == nullptr;
  if (is_new) slot = std::make_shared<Job>(executor_);
  const std::shared_ptr<Job> job = slot;
  const Share share{*this, key, job};
  if (is_new) {
    asio::co_spawn(
        executor_, follow(job, key, std::move(work)),
        asio::bind_cancellation_slot(job->stop.slot(), [this, job, key](const std::exception_ptr&) {
          if (job->result) return;
          forget(key, job.get());  // stopped, or it threw
          job->result.emplace(
              fail(Errc::internal, "run", "a helper process of emud", "it was ended"));
          job->changed.cancel();
        }));
  }
  unsigned seen = 0;
  boost::system::error_code ignored;
  while (!job->result) {
    if (seen == job->revision) {
      co_await job->changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    seen = job->revision;
    std::string text = job->progress;
    if (listener) co_await listener(std::move(text));
  }
  co_return *job->result;
}

Task<void> SharedJobs::publish(std::shared_ptr<Job> job, std::string text) {
  job->progress = std::move(text);
  ++job->revision;
  job->changed.cancel();
  co_return;
}

Task<void> SharedJobs::follow(std::shared_ptr<Job> job, std::string key, ReportingWork work) {
  ReportListener listener = [job](std::string text) { return publish(job, std::move(text)); };
  auto result = co_await run_reporting_worker(std::move(work), std::move(listener));
  job->result.emplace(std::move(result));
  forget(key, job.get());
  job->changed.cancel();
}

void SharedJobs::forget(const std::string& key, const Job* job) {
  const auto found = jobs_.find(key);
  if (found != jobs_.end() && found->second.get() == job) jobs_.erase(found);
}

}  // namespace emud
