#pragma once

#include <bulkhead/actors/code_store.hpp>
#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_entry.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace bulkhead {

/// What the actor works with; all of it outlives it.
struct code_cache_surroundings {
  runtime_surroundings& runtime;
  host_entries const& hosts; ///< complete before the actor's first message
  runtime_actor events;      ///< who is told of what was compiled
};

/// The state of the actor that has extensions' scripts compiled.
struct code_cache_state {
  /// Bytes of all code together: four extensions of the largest kind.
  static constexpr std::uint64_t limit = 4 * platform::largest_code;

  code_cache_state() = default;
  code_cache_state(code_cache_state const&) = delete;

  static inline char const* name = "code_cache";

  /// A host whose extension has become active.
  struct task_of_host {
    std::string host;
    std::vector<std::string> loaded;
  };

  std::optional<code_cache_surroundings> around;
  code_store store{limit};
  std::deque<task_of_host> tasks;
  std::set<std::string, std::less<>> starting; ///< hosts that are on their way up
  /// The process that compiles; there is one at a time.
  std::optional<platform::containment::started> maker;
  std::vector<completer<void>> waiting; // for anything to happen
  bool is_working = false;              // the coroutine that takes the tasks lives
  bool is_stopping = false;
};

/// Has the scripts that a host loaded compiled, in the background, by a process in a sandbox of its
/// own that runs none of them, and hands the result to later starts.
code_cache_actor::behavior_type
code_cache(code_cache_actor::stateful_pointer<code_cache_state> self,
           code_cache_surroundings around);

} // namespace bulkhead
