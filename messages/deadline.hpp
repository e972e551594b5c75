#pragma once

#include <bulkhead/messages/monotonic_clock.hpp>

#include <chrono>

namespace bulkhead {

/// A point in time by which something must be done. It is set once, at the edge, and passed along,
/// so that no hop adds its own time-out to the one before. A duration converts to the deadline that
/// lies so far from now.
class deadline {
public:
  using clock = monotonic_clock;

  /// Never passes.
  constexpr deadline() noexcept = default;
  constexpr deadline(clock::time_point when) noexcept
      : when_{when} {}
  template <class Rep, class Period>
  deadline(std::chrono::duration<Rep, Period> from_now) noexcept
      : when_{after(from_now)} {}

  constexpr bool is_never() const noexcept { return when_ == clock::time_point::max(); }
  constexpr bool has_passed(clock::time_point now) const noexcept { return when_ <= now; }
  constexpr clock::time_point when() const noexcept { return when_; }
  /// Zero once it has passed.
  constexpr clock::duration left(clock::time_point now) const noexcept {
    return has_passed(now) ? clock::duration::zero() : when_ - now;
  }

  friend constexpr auto operator<=>(deadline, deadline) noexcept = default;

private:
  /// Saturates: a duration too long for the clock never passes.
  template <class Duration>
  static clock::time_point after(Duration from_now) noexcept {
    using seconds = std::chrono::duration<double>;
    auto const now = clock::now();
    if (seconds{from_now} >= seconds{clock::time_point::max() - now})
      return clock::time_point::max();
    return now + std::chrono::duration_cast<clock::duration>(from_now);
  }

  clock::time_point when_ = clock::time_point::max();
};

} // namespace bulkhead
