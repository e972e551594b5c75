#include <bulkhead/harness/call_tally.hpp>

#include <condition_variable>
#include <mutex>

namespace bulkhead::testing {

struct call_tally::counts {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t started = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  std::size_t repeated = 0;
  std::map<errc, std::size_t> failures;

  bool all_ended() const noexcept { return succeeded + failed == started; }
};

call_tally::call_tally()
    : counts_{std::make_shared<counts>()} {}

std::shared_ptr<call_tally::ending> call_tally::expect() {
  std::lock_guard const lock{counts_->mutex};
  ++counts_->started;
  return std::make_shared<ending>(ending{counts_});
}

void call_tally::ending::record(std::exception_ptr const& failure) {
  std::lock_guard const lock{all->mutex};
  if (std::exchange(ended, true)) {
    ++all->repeated;
  } else if (failure) {
    ++all->failed;
    ++all->failures[error_from(failure).code()];
  } else {
    ++all->succeeded;
  }
  all->changed.notify_all();
}

bool call_tally::wait(std::chrono::milliseconds within) {
  std::unique_lock lock{counts_->mutex};
  return counts_->changed.wait_for(lock, within, [&] { return counts_->all_ended(); });
}

std::size_t call_tally::started() const {
  std::lock_guard const lock{counts_->mutex};
  return counts_->started;
}

std::size_t call_tally::succeeded() const {
  std::lock_guard const lock{counts_->mutex};
  return counts_->succeeded;
}

std::map<errc, std::size_t> call_tally::failures() const {
  std::lock_guard const lock{counts_->mutex};
  return counts_->failures;
}

bool call_tally::each_ended_once() const {
  std::lock_guard const lock{counts_->mutex};
  return counts_->all_ended() && counts_->repeated == 0;
}

} // namespace bulkhead::testing
