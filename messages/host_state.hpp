#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bulkhead {

/// Where an extension host is in its life. Numbers are stable: they travel in events.
enum class host_state : std::uint8_t {
  Stopped = 0,    ///< no process; waits for start()
  Starting = 1,   ///< the process is being created and has not said that it is ready
  Running = 2,    ///< ready: requests pass
  Unhealthy = 3,  ///< the process exited, hung or broke the protocol; what follows is being decided
  Restarting = 4, ///< waits for its backoff to elapse
  Stopping = 5,   ///< is being shut down
  Crashed = 6,    ///< gave up; waits for an explicit start()
};

/// Every state, in the order of its number.
inline constexpr std::array all_host_states{
    host_state::Stopped,    host_state::Starting, host_state::Running, host_state::Unhealthy,
    host_state::Restarting, host_state::Stopping, host_state::Crashed,
};

/// The state's name as it is spelled above; "?" for a number that is not a state.
std::string_view to_string(host_state state) noexcept;

/// The inverse of to_string; nothing for a name that is not a state's.
std::optional<host_state> host_state_from_string(std::string_view name) noexcept;

/// Whether the life cycle has an edge from `from` to `to` (ARCHITECTURE.md draws it). A state has
/// no edge to itself, but for Stopping: stop() is allowed in every state and is idempotent.
bool is_legal_transition(host_state from, host_state to) noexcept;

} // namespace bulkhead
