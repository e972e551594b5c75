#pragma once

#include <bulkhead/messages/monotonic_clock.hpp>

#include <algorithm>
#include <boost/asio/basic_waitable_timer.hpp>

namespace bulkhead {

/// How long Asio waits for a timer of the monotonic_clock. It can't see that a held clock is moved,
/// so it looks often while one is.
struct loop_wait {
  static constexpr monotonic_clock::duration look_again = std::chrono::milliseconds{1};

  static monotonic_clock::duration to_wait_duration(monotonic_clock::duration left) noexcept {
    auto const is_held =
        monotonic_clock::held_at.load(std::memory_order_relaxed) != monotonic_clock::running;
    return is_held ? std::min(left, look_again) : left;
  }
  static monotonic_clock::duration to_wait_duration(monotonic_clock::time_point due) noexcept {
    return to_wait_duration(due - monotonic_clock::now());
  }
};

/// A timer of the loop's.
using loop_timer = boost::asio::basic_waitable_timer<monotonic_clock, loop_wait>;

} // namespace bulkhead
