#pragma once

#include "dice.hpp"
#include "figures.hpp"
#include "population.hpp"

#include <bulkhead/testing.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace chaos {

/// What load and faults are aimed at, and who counts what comes of them. All of it may be used by
/// any thread for as long as the runtime lives.
struct target {
  bulkhead::testing::harness& run;
  population const& inhabitants;
  bulkhead::testing::call_tally& requests;
  bulkhead::testing::call_tally& controls; ///< starts, stops, policies, shutdowns
  figures& counted;

  inhabitant const& any_host(dice& roll) const { return roll.pick(inhabitants.hosts); }
};

/// Waits for so long, or until the thread is to stop.
inline void pause(std::stop_token const& stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any nothing;
  std::unique_lock lock{mutex};
  nothing.wait_for(lock, stop, time, [] { return false; });
}

} // namespace chaos
