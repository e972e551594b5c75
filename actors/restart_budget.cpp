#include <bulkhead/actors/restart_budget.hpp>

#include <algorithm>
#include <cmath>

namespace bulkhead {

restart_budget::restart_budget(restart_policy const& what, std::uint64_t seed)
    : policy_{what}
    , random_{seed} {}

std::optional<std::chrono::milliseconds> restart_budget::on_failure(clock::time_point now) {
  forget(now);
  running_since_.reset();
  if (failures_.size() >= policy_.max_restarts)
    return std::nullopt;
  auto const wait = backoff();
  failures_.push_back(now);
  ++granted_;
  return wait;
}

void restart_budget::reset() noexcept {
  failures_.clear();
  running_since_.reset();
  granted_ = 0;
}

void restart_budget::forget(clock::time_point now) {
  if (running_since_ && now - *running_since_ >= policy_.reset_after) {
    failures_.clear();
    return;
  }
  while (!failures_.empty() && now - failures_.front() >= policy_.window)
    failures_.pop_front();
}

std::chrono::milliseconds restart_budget::backoff() {
  auto const grown = static_cast<double>(policy_.backoff_initial.count()) *
                     std::pow(policy_.backoff_factor, static_cast<double>(failures_.size()));
  auto const capped = std::min(grown, static_cast<double>(policy_.backoff_max.count()));
  std::uniform_real_distribution<double> spread{1.0 - policy_.backoff_jitter,
                                                1.0 + policy_.backoff_jitter};
  return std::chrono::milliseconds{std::llround(capped * spread(random_))};
}

} // namespace bulkhead
