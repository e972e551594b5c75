#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_process.hpp>
#include <bulkhead/actors/restart_budget.hpp>
#include <bulkhead/actors/supervisor_surroundings.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/response_promise.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace bulkhead {

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
  reason stop_reason = reason::requested; // with stop_requested
  std::string stop_detail;
  std::unique_ptr<host_process> process;

  std::vector<caf::typed_response_promise<host_state>> starters;
  std::vector<caf::typed_response_promise<host_state>> stoppers;
};

/// Runs one host: starts it, starts it again within its budget, stops it. Every process has one
/// coroutine's attention at a time.
host_supervisor_actor::behavior_type
host_supervisor(host_supervisor_actor::stateful_pointer<host_supervisor_state> self,
                supervisor_surroundings around);

} // namespace bulkhead
