#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/inbound_call.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/secret_cache.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/secret_backend.hpp>

#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace bulkhead {

/// What the secret store works with.
struct secret_surroundings {
  loop& on;
  std::shared_ptr<spdlog::logger> log;
  std::string runtime; ///< the policy's name of the runtime: half of every secret's name
  std::shared_ptr<platform::secret_backend> backend;
  std::chrono::milliseconds cache_ttl;
};

/// What one host waits for.
struct host_secrets {
  std::deque<inbound_call_ptr> waiting;
  bool busy = false; ///< a thread of the pool works for this host
};

/// The state of the actor that serves secret*.
struct secret_store_state {
  secret_store_state() = default;
  secret_store_state(secret_store_state const&) = delete;

  static inline char const* name = "secret_store";
  std::optional<secret_surroundings> around;
  std::optional<secret_cache> cache;
  std::map<std::string, std::shared_ptr<host_secrets>, std::less<>> hosts;
};

/// Serves secretGet, secretStore, secretDelete and secretList on the blocking pool, those of one
/// host one after the other. Whose secret it is says the connection that the request came on, by
/// the policy's name of its host. `revoke` forgets what is cached of a host.
service_actor::behavior_type secret_store(service_actor::stateful_pointer<secret_store_state> self,
                                          secret_surroundings around);

} // namespace bulkhead
