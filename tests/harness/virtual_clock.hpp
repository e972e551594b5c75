#pragma once

#include <bulkhead/messages/deadline.hpp>

namespace bulkhead::testing {

/// Holds the clock by which Bulkhead measures every deadline, backoff and time-out in this process:
/// it goes on only where a test lets it. Hosts are real processes and live in real time, and so do
/// the waits of the harness.
///
/// Make it before the runtime, and let the runtime go first. One at a time. Any thread.
class virtual_clock {
public:
  /// Holds the clock at the present time. Throws std::logic_error where it is held already.
  virtual_clock();
  virtual_clock(virtual_clock const&) = delete;
  virtual_clock& operator=(virtual_clock const&) = delete;
  /// Lets it run again.
  ~virtual_clock();

  deadline::clock::time_point now() const noexcept { return deadline::clock::now(); }

  /// Lets so much time pass at once; not negative. What is due by then happens within a few
  /// milliseconds, in the order in which it was due within each runtime's timers, and what it
  /// brings about happens at the new time; harness::settle() waits for it. A silence of a host that
  /// passes at once is no silence: a backend that stood still asks again first.
  void advance(deadline::clock::duration by) noexcept;
};

} // namespace bulkhead::testing
