#pragma once

#include <caf/logger.hpp>

namespace bulkhead {

/// Where a thread spawns actors. CAF 0.17 keeps for each thread a reference to the logger of the
/// system that it spawned an actor of last, and a system's destructor waits until no thread has
/// one; the destructor of this lets go of it, so that the system can be destroyed by another thread
/// while this one lives.
class spawning_scope {
public:
  spawning_scope() = default;
  spawning_scope(spawning_scope const&) = delete;
  spawning_scope& operator=(spawning_scope const&) = delete;
  ~spawning_scope() { caf::logger::set_current_actor_system(nullptr); }
};

} // namespace bulkhead
