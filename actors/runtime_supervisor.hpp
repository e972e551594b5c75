#pragma once

#include <bulkhead/actors/host_entry.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace bulkhead {

/// The state of the actor that stands above all supervisors of one runtime.
struct runtime_supervisor_state {
  runtime_supervisor_state() = default;
  runtime_supervisor_state(runtime_supervisor_state const&) = delete;

  static inline char const* name = "runtime";

  host_entries const* hosts = nullptr;
  group_entries const* groups = nullptr;
  warm_pool_actor const* pool = nullptr;
  code_cache_actor const* code = nullptr;
  std::vector<caf::actor> subscribers;
  std::function<void(host_event const&)> on_event;
  std::shared_ptr<spdlog::logger> log;
  std::chrono::milliseconds drain_timeout{};
};

/// Starts the hosts, passes events on, ends in order. `hosts`, `groups`, `pool` and `code`
/// outlive the actor and are complete before its first message; the latter two may be null.
/// `on_event` gets every event before the subscribers do.
runtime_actor::behavior_type
runtime_supervisor(runtime_actor::stateful_pointer<runtime_supervisor_state> self,
                   host_entries const& hosts, group_entries const& groups,
                   warm_pool_actor const& pool, code_cache_actor const& code,
                   std::chrono::milliseconds drain_timeout, std::shared_ptr<spdlog::logger> log,
                   std::function<void(host_event const&)> on_event);

} // namespace bulkhead
