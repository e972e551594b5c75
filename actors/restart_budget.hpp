#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>

namespace bulkhead {

/// Decides whether a failed host is started again and after how long. Pure: time and randomness are
/// passed in.
///
/// A failure spends one restart. Failures older than the window are forgotten, and all of them once
/// the host has run for `reset_after`; the backoff grows by its factor with each failure that is
/// still remembered.
class restart_budget {
public:
  using clock = deadline::clock;

  /// Keeps the policy's values. `seed` drives the jitter.
  restart_budget(restart_policy const& what, std::uint64_t seed);

  /// The host became Running.
  void on_running(clock::time_point now) noexcept { running_since_ = now; }

  /// The host failed. The backoff before its next start, or nothing when the budget is spent.
  std::optional<std::chrono::milliseconds> on_failure(clock::time_point now);

  /// Somebody started it explicitly: everything is forgotten.
  void reset() noexcept;

  /// Restarts granted since the last reset, forgotten ones included.
  std::uint32_t granted() const noexcept { return granted_; }

private:
  void forget(clock::time_point now);
  std::chrono::milliseconds backoff();

  restart_policy policy_;
  std::mt19937_64 random_;
  std::deque<clock::time_point> failures_;
  std::optional<clock::time_point> running_since_;
  std::uint32_t granted_ = 0;
};

} // namespace bulkhead
