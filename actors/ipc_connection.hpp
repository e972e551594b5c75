#pragma once

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace bulkhead {

/// The state of the actor that owns the connection to one host, across its restarts.
struct ipc_connection_state {
  ipc_connection_state() = default;
  ipc_connection_state(ipc_connection_state const&) = delete;

  /// With the actor, everything that is open ends.
  ~ipc_connection_state();

  static inline char const* name = "ipc_connection";
  std::shared_ptr<host_link> link;
};

/// Brings lifecycle and verdicts to `link`, and the link's batches to `limiter`, which passes them
/// to `guard`. Once one of these has ended everything is denied.
ipc_connection_actor::behavior_type
ipc_connection(ipc_connection_actor::stateful_pointer<ipc_connection_state> self,
               std::shared_ptr<host_link> link, rate_limiter_actor const& limiter,
               permission_guard_actor const& guard);

} // namespace bulkhead
