#pragma once

#include <bulkhead/actors/connection_setup.hpp>
#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/actors/host_output.hpp>
#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/restart_budget.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/containment.hpp>

#include <caf/response_promise.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead {

/// Who decides about and serves what a host asks for, and is told of each process of it.
struct host_servants {
  rate_limiter_actor limiter;
  permission_guard_actor guard;
  service_actor files;
  service_actor secrets;
  audit_log_actor audit;
  resource_monitor_actor monitor;
};

/// What one supervisor works with; all of it outlives the actor.
struct supervisor_surroundings {
  runtime_surroundings& runtime;
  host_policy const& policy;
  std::shared_ptr<host_record> record;
  std::shared_ptr<host_link> link;
  ipc_connection_actor connection;
  host_servants servants;
  runtime_actor events; ///< who is told of every transition
};

/// The state of the actor that owns the state machine and the process of one host.
struct host_supervisor_state {
  host_supervisor_state() = default;
  host_supervisor_state(host_supervisor_state const&) = delete;

  static inline char const* name = "host_supervisor";

  std::optional<supervisor_surroundings> around;
  std::optional<restart_budget> budget;

  // What happened and was not dealt with yet. The one coroutine that lives from start() to the end
  // takes it from here.
  std::deque<host_signal> signals;
  std::optional<completer<void>> waker;

  std::uint64_t generation = 0; // number of the present or last process
  bool stop_requested = false;
  std::string extension_id;
  std::unique_ptr<connection_setup> setup;
  std::optional<platform::child_process> process;
  std::shared_ptr<platform::contained_host> contained; // what holds the process
  std::optional<host_output> output;

  std::vector<caf::typed_response_promise<host_state>> starters;
  std::vector<caf::typed_response_promise<host_state>> stoppers;
};

/// Runs one host: starts it, starts it again within its budget, stops it. Every process has one
/// coroutine's attention at a time.
host_supervisor_actor::behavior_type
host_supervisor(host_supervisor_actor::stateful_pointer<host_supervisor_state> self,
                supervisor_surroundings around);

} // namespace bulkhead
