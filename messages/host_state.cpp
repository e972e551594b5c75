#include <bulkhead/messages/host_state.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

struct edge {
  host_state from;
  host_state to;
};

using enum host_state;

// The edges but for "any state to Stopping".
constexpr edge edges[] = {
    {Stopped, Starting},     // start()
    {Starting, Running},     // spawned and ready before the start deadline
    {Starting, Unhealthy},   // the process ended before or just after ready, did not say ready in
                             // time, was refused for the moment, or is to start with its group
    {Starting, Crashed},     // it could not be started at all
    {Running, Unhealthy},    // exited, hung past its limit, or broke the protocol
    {Unhealthy, Restarting}, // restart budget left
    {Unhealthy, Crashed},    // budget spent, or the reason forbids a restart
    {Restarting, Starting},  // backoff elapsed
    {Stopping, Stopped},     // process tree gone
    {Crashed, Starting},     // explicit start()
};

constexpr std::string_view names[] = {"Stopped",    "Starting", "Running", "Unhealthy",
                                      "Restarting", "Stopping", "Crashed"};

} // namespace

std::string_view to_string(host_state state) noexcept {
  auto const index = static_cast<std::size_t>(state);
  return index < std::size(names) ? names[index] : "?";
}

std::optional<host_state> host_state_from_string(std::string_view name) noexcept {
  auto const found = std::ranges::find(all_host_states, name, [](auto s) { return to_string(s); });
  return found != all_host_states.end() ? std::optional{*found} : std::nullopt;
}

bool is_legal_transition(host_state from, host_state to) noexcept {
  return to == Stopping ||
         std::ranges::any_of(edges, [&](edge const& e) { return e.from == from && e.to == to; });
}

} // namespace bulkhead
