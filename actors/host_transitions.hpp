#pragma once

#include <bulkhead/actors/host_supervisor.hpp>

#include <spdlog/logger.h>

#include <string>

/// The state machine of one host: a transition is made here or not at all, and whoever has to know
/// of it is told. Internal to the supervisor.
namespace bulkhead {

using supervisor_ptr = host_supervisor_actor::stateful_pointer<host_supervisor_state>;

host_record& record_of(supervisor_ptr self);
host_link& link_of(supervisor_ptr self);
spdlog::logger& log_of(supervisor_ptr self);
/// 0 without a process.
pid_t pid_of(host_supervisor_state const& state);

/// Tells the runtime of something that happened.
void publish(supervisor_ptr self, host_event_kind kind, host_state from, host_state to, reason why,
             std::string detail);

/// Makes the transition and tells the runtime, the group and those who wait for it. One that is not
/// of the life cycle is logged and not made.
void enter(supervisor_ptr self, host_state to, reason why, std::string detail = {});

/// Tells the group what happened to the host; does nothing where it is in none.
void tell_group(supervisor_ptr self, member_step what, std::string detail = {});

} // namespace bulkhead
