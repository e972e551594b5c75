#pragma once

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <memory>

namespace bulkhead {

/// Everything that belongs to one host of a runtime. Complete before the first message is sent, and
/// then never changed.
struct host_entry {
  host_policy const& policy;
  std::shared_ptr<host_record> record;
  std::shared_ptr<host_link> link; ///< the loop's thread only
  ipc_connection_actor connection;
  host_supervisor_actor supervisor;
};

using host_entries = std::vector<std::shared_ptr<host_entry>>;

/// A group of a runtime.
struct group_entry {
  group_policy const& policy;
  host_group_actor actor;
};

using group_entries = std::vector<group_entry>;

} // namespace bulkhead
