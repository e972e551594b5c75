#pragma once

#include <bulkhead/actors/connection_setup.hpp>
#include <bulkhead/actors/host_start.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/messages/start_times.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/containment.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace bulkhead {

/// A process that was created and belongs to no host yet. Destroying it kills it. Loop thread.
struct started_process {
  std::unique_ptr<connection_setup> setup;
  platform::child_process process;
  std::shared_ptr<platform::contained_host> contained; ///< what holds the process
  start_times times; ///< as far as the launch does not tell them itself
};

/// The number of the program; until it runs in its sandbox, of the launcher.
pid_t program_of(platform::child_process const& process, platform::contained_host const& contained);

/// Since then, by the clock that start_times are taken by.
start_times::duration time_since(std::chrono::steady_clock::time_point begin);

/// Creates the process of a start that prepare_launch() has prepared; `start.contained` is used up.
/// `generation` keeps the names of sockets apart; `heard` is told when its launch has come further.
/// Fails with spawn_failed, or as containment::start.
result<started_process> create_process(runtime_surroundings& runtime, host_policy const& host,
                                       host_start& start, std::uint64_t generation,
                                       std::function<void()> heard);

} // namespace bulkhead
