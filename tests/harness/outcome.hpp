#pragma once

#include <bulkhead/messages/error.hpp>

#include <chrono>
#include <future>
#include <stdexcept>
#include <type_traits>

namespace bulkhead::testing {

/// How long a test waits for something that should come at once: enough for a loaded machine under
/// a sanitizer, and too long for a test that hangs to go unnoticed.
inline constexpr std::chrono::seconds patience{60};

/// Waits for what a future holds: the value, or the bulkhead::error that it throws. A future that
/// is not ready in time is an operation that hangs: std::runtime_error.
template <class T>
result<T> outcome(std::future<T> pending, std::chrono::milliseconds within = patience) {
  if (pending.wait_for(within) != std::future_status::ready)
    throw std::runtime_error{"the operation did not end"};
  try {
    if constexpr (std::is_void_v<T>) {
      pending.get();
      return {};
    } else {
      return pending.get();
    }
  } catch (error const& failed) {
    return failed;
  }
}

} // namespace bulkhead::testing
