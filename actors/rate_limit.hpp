#pragma once

#include <bulkhead/messages/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace bulkhead {

/// A limit on events in time, by the generic cell rate algorithm (ITU-T I.371, the virtual
/// scheduling form): one time point instead of a counter and a timer, exact to the nanosecond. Over
/// any span of time it admits at most burst + rate x span events. Time is passed in and never goes
/// back.
class rate_limit {
public:
  using clock = deadline::clock;
  using duration = std::chrono::nanoseconds;

  /// Both from 1 to 1e9.
  rate_limit(std::uint32_t per_second, std::uint32_t burst) noexcept
      : interval_{(std::int64_t{1'000'000'000} + per_second - 1) / per_second}
      , tolerance_{interval_ * (std::int64_t{burst} - 1)} {}

  /// How long until an event is admitted; zero or less: now.
  duration wait(clock::time_point now) const noexcept { return due_ - tolerance_ - now; }

  /// An event passes. Only where wait() is not positive.
  void pass(clock::time_point now) noexcept { due_ = std::max(due_, now) + interval_; }

private:
  duration interval_;       // rounded up, so that the bound holds for every rate
  duration tolerance_;      // how far the events may be ahead of their schedule
  clock::time_point due_{}; // when the next event would be on schedule
};

} // namespace bulkhead
