#pragma once

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <memory>

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
  runtime_actor events;   ///< who is told of every transition
  host_group_actor group; ///< null for a host that is in none
  warm_pool_actor pool;   ///< null for a host for which no process is kept ready
  code_cache_actor code;  ///< null for a host whose scripts are not compiled ahead
};

} // namespace bulkhead
