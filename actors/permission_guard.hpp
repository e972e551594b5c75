#pragma once

#include <bulkhead/actors/denial_tally.hpp>
#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <string>

namespace bulkhead {

/// What the guard has recorded.
struct guard_auditing {
  audit_log_actor log;
  audit_level level = audit_level::changes;
  bool required = false; ///< what is to be recorded waits until it is
  /// Writes the guard's last records, as the log may have ended before it. Blocks.
  std::function<void(audit_records const&)> write_last{};
};

/// The state of the actor that decides what each host may ask for.
struct permission_guard_state {
  permission_guard_state() = default;
  permission_guard_state(permission_guard_state const&) = delete;
  /// Records the refused requests that have been counted and not recorded yet.
  ~permission_guard_state();

  static inline char const* name = "permission_guard";
  access_rules_ptr rules;
  guard_auditing auditing;
  /// By host: what its extension asks for.
  std::map<std::string, permission_set, std::less<>> asked;
  denial_tally limited;
};

/// Marks each request of a batch admitted or denied, has it recorded, and sends the batch to its
/// connection. What an extension holds is what it asks for and the policy grants; a host that has
/// not been announced holds nothing.
permission_guard_actor::behavior_type
permission_guard(permission_guard_actor::stateful_pointer<permission_guard_state> self,
                 access_rules_ptr rules, guard_auditing auditing);

} // namespace bulkhead
