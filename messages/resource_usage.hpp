#pragma once

#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace bulkhead {

/// What the processes of a host use, and have used since their start. What can't be had is 0.
struct resource_usage {
  /// Bytes, now. What the kernel takes back while nothing of a contained host runs shows when it
  /// runs.
  std::uint64_t memory = 0;
  std::uint64_t memory_peak = 0; ///< bytes
  std::chrono::microseconds cpu_time{};
  double cpu_percent = 0;        ///< of one core, since the last look
  std::uint64_t processes = 0;   ///< now; threads count where the kernel counts them
  std::uint64_t descriptors = 0; ///< open ones of the program, now
  std::uint64_t oom_kills = 0;   ///< processes that a memory limit has ended
  std::uint64_t operations = 0;  ///< requests that the host made of the backend
  std::uint64_t bytes_in = 0;    ///< that came over its connection
  std::uint64_t bytes_out = 0;   ///< that went over it

  /// For sums over hosts; the peak is then the sum of the peaks.
  resource_usage& operator+=(resource_usage const& other) noexcept;

  friend bool operator==(resource_usage const&, resource_usage const&) = default;
};

json to_json(resource_usage const& usage);

/// One look at what is used.
struct usage_report {
  std::string host; ///< empty: the sum over all hosts
  resource_usage usage;
  bool at_exit = false; ///< the last one of a process
};

} // namespace bulkhead
