#pragma once

#include <bulkhead/messages/host_event.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace bulkhead {

/// What everybody may know of one host, without asking its supervisor. The supervisor alone writes
/// the state, the connection alone the counters, the pool what is said of spares; any thread reads.
/// It lives as long as the runtime.
class host_record {
public:
  explicit host_record(std::string id) { status_.host = std::move(id); }

  /// The one word that the hot path reads.
  host_state state() const noexcept { return state_.load(std::memory_order_acquire); }

  struct {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> denied{0};
    std::atomic<std::uint64_t> violations{0};
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
  } counters;

  /// A consistent copy.
  host_status snapshot() const {
    std::lock_guard lock{mutex_};
    auto copy = status_;
    copy.requests = counters.requests.load(std::memory_order_relaxed);
    copy.failed = counters.failed.load(std::memory_order_relaxed);
    copy.received = counters.received.load(std::memory_order_relaxed);
    copy.denied = counters.denied.load(std::memory_order_relaxed);
    copy.violations = counters.violations.load(std::memory_order_relaxed);
    return copy;
  }

  /// Changes what snapshot() shows; `change` takes a host_status&. Loop thread.
  template <class Change>
  void update(Change change) {
    std::lock_guard lock{mutex_};
    change(status_);
    state_.store(status_.state, std::memory_order_release);
  }

private:
  std::atomic<host_state> state_{host_state::Stopped};
  mutable std::mutex mutex_;
  host_status status_;
};

} // namespace bulkhead
