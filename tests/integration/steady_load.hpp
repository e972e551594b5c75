#pragma once

#include <bulkhead/harness/call_tally.hpp>
#include <bulkhead/runtime.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace bulkhead::testing {

/// What a host that does nothing wrong was like to its caller for a while.
struct service_quality {
  std::size_t requests = 0;
  std::size_t failed = 0;
  std::chrono::microseconds p50{};
  std::chrono::microseconds p99{};
};

/// One request after the other to one host, by a thread of its own, for as long as it lives.
class steady_load {
public:
  explicit steady_load(host_handle host);
  steady_load(steady_load const&) = delete;
  steady_load& operator=(steady_load const&) = delete;
  ~steady_load();

  /// What was seen since the last call, which takes it out.
  service_quality take();

private:
  void serve(host_handle host);

  std::mutex mutex_; // guards the two below
  std::vector<std::chrono::microseconds> times_;
  std::size_t failed_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

} // namespace bulkhead::testing
