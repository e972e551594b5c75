#pragma once

#include <atomic>
#include <chrono>

namespace bulkhead {

/// The clock of every deadline and timer: std::chrono::steady_clock, unless a test holds it
/// (harness/virtual_clock.hpp). Its time points are those of steady_clock. Any thread.
struct monotonic_clock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    auto const held = held_at.load(std::memory_order_relaxed);
    return held == running ? std::chrono::steady_clock::now() : time_point{duration{held}};
  }

  /// Where it is held, in ticks since its epoch; `running` while it is not.
  static constexpr rep running = duration::min().count();
  static inline std::atomic<rep> held_at{running};
};

} // namespace bulkhead
