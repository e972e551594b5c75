#pragma once

/// For programs that run CAF actors of their own beside a bulkhead::runtime: the typed handles, the
/// messages and the coroutine layer.

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace bulkhead {

/// The actors of one runtime; see runtime::actors(). Handles stay valid after the runtime has
/// ended, and their actors are then gone. May be called from any thread.
class typed_actors {
public:
  struct host_actors {
    host_supervisor_actor supervisor;
    ipc_connection_actor connection;
  };

  typed_actors(caf::actor_system& system, runtime_actor runtime)
      : system_{system}
      , runtime_{std::move(runtime)} {}

  /// The system that they run in; spawn actors of your own here and they share the runtime's
  /// thread.
  caf::actor_system& system() noexcept { return system_; }
  runtime_actor const& runtime() const noexcept { return runtime_; }
  /// Throws error with unknown_host for a name that the policy does not have.
  host_supervisor_actor const& supervisor(std::string_view host) const {
    return find(host).supervisor;
  }
  ipc_connection_actor const& connection(std::string_view host) const {
    return find(host).connection;
  }

  void add(std::string host, host_actors actors) {
    hosts_.emplace(std::move(host), std::move(actors));
  }

private:
  host_actors const& find(std::string_view host) const;

  caf::actor_system& system_;
  runtime_actor runtime_;
  std::map<std::string, host_actors, std::less<>> hosts_;
};

/// Announces the messages to an actor system, so that they can travel between machines.
void add_message_types(caf::actor_system_config& config);

} // namespace bulkhead
