#pragma once

#include <bulkhead/messages/json.hpp>

#include <chrono>

namespace bulkhead {

/// When each step of one process's start was done, since the start began. 0: there was no such
/// step, or it was not reached.
struct start_times {
  using duration = std::chrono::microseconds;

  duration prepared{};  ///< its files are looked up and verified
  duration created{};   ///< there is a process
  duration staged{};    ///< its control groups, mounts and user are settled
  duration contained{}; ///< its sandbox stands
  duration executed{};  ///< its program runs
  duration ready{};     ///< the handshake is done

  friend bool operator==(start_times const&, start_times const&) = default;
};

/// Each member in microseconds: `{"prepared_us": …, …}`.
json to_json(start_times const& times);

} // namespace bulkhead
