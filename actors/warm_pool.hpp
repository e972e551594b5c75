#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_entry.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/actors/warm_stock.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>
#include <vector>

namespace bulkhead {

/// What the pool works with; all of it outlives the actor.
struct warm_pool_surroundings {
  runtime_surroundings& runtime;
  host_entries const& hosts; ///< complete before the actor's first message
  runtime_actor events;      ///< who is told of its processes
  code_cache_actor code;     ///< null where no scripts are compiled ahead
};

/// The state of the actor that keeps processes ready.
struct warm_pool_state {
  warm_pool_state() = default;
  warm_pool_state(warm_pool_state const&) = delete;

  static inline char const* name = "warm_pool";

  std::optional<warm_pool_surroundings> around;
  std::optional<warm_stock> stock; // once the runtime has been started
  /// Those of the stock, and those that are killed and have not ended yet.
  std::map<warm_stock::spare_id, spare_process_ptr> processes;
  std::vector<completer<void>> waiting; // for anything to happen
  bool is_keeping = false;              // the coroutine that makes spares lives
  bool is_stopping = false;
  bool has_warned = false; // that the limit is too low
};

/// Makes spares one at a time, in the background, for the hosts whose policy wants some, and hands
/// them out.
warm_pool_actor::behavior_type warm_pool(warm_pool_actor::stateful_pointer<warm_pool_state> self,
                                         warm_pool_surroundings around);

} // namespace bulkhead
