#pragma once

#include <bulkhead/actors/host_entry.hpp>
#include <bulkhead/actors/restart_group.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <optional>
#include <string>
#include <vector>

namespace bulkhead {

/// The state of the actor that keeps the order of one group.
struct host_group_state {
  host_group_state() = default;
  host_group_state(host_group_state const&) = delete;

  static inline char const* name = "host_group";

  group_policy const* policy = nullptr;
  host_entries const* hosts = nullptr;
  std::optional<restart_group> group;
  std::vector<std::string> ends; ///< how each host ended last; empty for one that has not
};

/// Gives the hosts of a group their turns to start, and ends those that go down with another. Both
/// references outlive the actor; `hosts` is complete before its first message.
host_group_actor::behavior_type
host_group(host_group_actor::stateful_pointer<host_group_state> self, group_policy const& policy,
           host_entries const& hosts);

} // namespace bulkhead
