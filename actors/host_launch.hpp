#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_start.hpp>
#include <bulkhead/actors/host_transitions.hpp>
#include <bulkhead/actors/launch_profile.hpp>

#include <functional>
#include <optional>

/// How a host comes to a process: one that waits for it, or a new one. Internal to the supervisor
/// and the pool of ready processes.
namespace bulkhead {

/// A start that was looked up, and its profile where one was asked for.
struct described_start {
  described_start(host_start found, launch_profile_ptr compared)
      : start{std::move(found)}
      , profile{std::move(compared)} {}

  host_start start;
  launch_profile_ptr profile;
};

/// describe_host_start, off the loop's thread, and with the permissions that the host has by now.
/// Fails also as profile_of where the profile is wanted.
task<result<described_start>> work_out_start(caf::scheduled_actor* self,
                                             runtime_surroundings& runtime, host_policy const& host,
                                             bool with_profile);

/// prepare_launch, off the loop's thread.
task<result<host_start>> prepare_launch(caf::scheduled_actor* self, runtime_surroundings& runtime,
                                        host_start start);

/// Why there is no process.
struct launch_failure {
  launch_failure(error what, bool lacks)
      : why{std::move(what)}
      , may_pass{lacks} {}

  error why;
  bool may_pass; ///< the system lacked something that it may have again
};

/// Makes the next process of the host: `state.process`, under the next generation. `tell` is told
/// what happens to it.
task<std::optional<launch_failure>> launch(supervisor_ptr self,
                                           std::function<void(host_signal)> tell);

/// Tells the pool and the code cache that a start is over.
void settle(supervisor_ptr self);

} // namespace bulkhead
