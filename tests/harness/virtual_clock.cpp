#include <bulkhead/harness/virtual_clock.hpp>

#include <chrono>
#include <stdexcept>

namespace bulkhead::testing {

virtual_clock::virtual_clock() {
  auto expected = monotonic_clock::running;
  auto const now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (!monotonic_clock::held_at.compare_exchange_strong(expected, now))
    throw std::logic_error{"there is a virtual clock already"};
}

virtual_clock::~virtual_clock() {
  monotonic_clock::held_at = monotonic_clock::running;
}

void virtual_clock::advance(deadline::clock::duration by) noexcept {
  monotonic_clock::held_at += by.count();
}

} // namespace bulkhead::testing
