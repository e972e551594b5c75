#include <bulkhead/platform/fault_point.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <thread>

namespace bulkhead::platform {
namespace {

/// How often a call that waits looks whether its fault is still there.
constexpr std::chrono::milliseconds look_every{2};

static_assert(std::atomic<fault>::is_always_lock_free, "one load, wherever the call is made");

std::atomic<fault>& present_at(fault_point where) noexcept {
  static constinit std::array<std::atomic<fault>, fault_points> all{};
  return all[static_cast<std::size_t>(where)];
}

void wait_for_end(fault_point where, fault present) noexcept {
  using clock = std::chrono::steady_clock;
  auto const until = clock::now() + std::chrono::milliseconds{present.delay_ms};
  while (clock::now() < until && present_at(where).load(std::memory_order_relaxed) == present)
    std::this_thread::sleep_until(std::min(until, clock::now() + look_every));
}

} // namespace

bool is_refused(fault_point where) noexcept {
  auto const present = present_at(where).load(std::memory_order_relaxed);
  if (present == fault{})
    return false;
  if (present.delay_ms > 0)
    wait_for_end(where, present);
  if (present.error_number == 0)
    return false;
  errno = present.error_number;
  return true;
}

injected_fault::injected_fault(fault_point where, fault what) noexcept
    : where_{where}
    , before_{present_at(where).exchange(what)} {}

injected_fault::~injected_fault() {
  present_at(where_).store(before_);
}

} // namespace bulkhead::platform
