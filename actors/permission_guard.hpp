#pragma once

#include <bulkhead/config/request_rules.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>
#include <string>

namespace bulkhead {

/// The state of the actor that decides what each host may ask for.
struct permission_guard_state {
  permission_guard_state() = default;
  permission_guard_state(permission_guard_state const&) = delete;

  static inline char const* name = "permission_guard";
  std::optional<request_rules> rules;
  std::map<std::string, permission_set, std::less<>> granted;
};

/// Marks each request of a batch admitted or denied. A host that was granted nothing gets nothing.
permission_guard_actor::behavior_type
permission_guard(permission_guard_actor::stateful_pointer<permission_guard_state> self,
                 request_rules rules);

} // namespace bulkhead
