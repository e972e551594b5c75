#include "steady_load.hpp"

#include <bulkhead/harness/outcome.hpp>

#include <algorithm>
#include <boost/asio/use_future.hpp>
#include <utility>

namespace bulkhead::testing {
namespace {

std::chrono::microseconds percentile(std::vector<std::chrono::microseconds>& times,
                                     std::size_t percent) {
  if (times.empty())
    return {};
  auto const at = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) * percent / 100);
  std::ranges::nth_element(times, at);
  return *at;
}

} // namespace

steady_load::steady_load(host_handle host)
    : thread_{[this, host] { serve(host); }} {}

steady_load::~steady_load() {
  ended_ = true;
  thread_.join();
}

service_quality steady_load::take() {
  std::vector<std::chrono::microseconds> times;
  service_quality seen;
  {
    std::lock_guard const lock{mutex_};
    times.swap(times_);
    seen.failed = std::exchange(failed_, 0);
  }
  seen.requests = times.size();
  seen.p50 = percentile(times, 50);
  seen.p99 = percentile(times, 99);
  return seen;
}

void steady_load::serve(host_handle host) {
  using clock = std::chrono::steady_clock;
  while (!ended_) {
    auto const began = clock::now();
    auto const reply =
        outcome(host.async_request("echo", json("steady"), patience, boost::asio::use_future),
                2 * patience);
    auto const took = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - began);
    std::lock_guard const lock{mutex_};
    times_.push_back(took);
    failed_ += !reply;
  }
}

} // namespace bulkhead::testing
