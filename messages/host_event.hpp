#pragma once

#include <bulkhead/messages/host_state.hpp>
#include <bulkhead/messages/reason.hpp>
#include <bulkhead/messages/resource_usage.hpp>
#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/messages/start_times.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead {

/// What an event tells.
enum class host_event_kind : std::uint8_t {
  state_changed = 0,     ///< `from` became `to`
  activated = 1,         ///< the extension's `activate` has returned
  activation_failed = 2, ///< it failed; `detail` says how. The host keeps running
  unresponsive = 3,      ///< it has not answered a ping for long; `detail` says what it does
  responsive = 4,        ///< it answers again
  spare_ready = 5,       ///< one more ready process waits for a start of it
  spare_lost = 6,  ///< a ready process ended before it was taken, or could not be made; `detail`
                   ///< says why
  code_cached = 7, ///< its next starts find its scripts compiled; `detail` says how many
  code_not_cached = 8, ///< they can't be compiled ahead; `detail` says why
};

/// Something that happened to a host. Events of one host arrive in the order in which they
/// happened.
struct host_event {
  host_event_kind kind = host_event_kind::state_changed;
  std::string host;
  host_state from = host_state::Stopped;
  host_state to = host_state::Stopped;
  reason why = reason::none;
  /// The cause as one sentence, with numbers: "exit code 3", "signal 11 (SIGSEGV)".
  std::string detail;
  /// The process concerned; 0 without one.
  std::int32_t pid = 0;
  /// Restarts since the host was last started explicitly.
  std::uint32_t restarts = 0;
  std::chrono::system_clock::time_point when;
  /// With Running: what contains the process. Else empty.
  sandbox_report sandbox;
  /// While it is Running: how long the start took, `activated` from then on. Else zeros.
  start_times start;
};

/// `formatter: Running -> Unhealthy (exit_code: exit code 3)`.
std::string to_string(host_event const& event);

/// A host as it stands now.
struct host_status {
  std::string host;
  host_state state = host_state::Stopped;
  reason why = reason::none;
  std::string detail;
  std::int32_t pid = 0;
  std::uint32_t restarts = 0;
  /// When the present process became Running; the epoch while none is.
  std::chrono::system_clock::time_point running_since;
  std::uint64_t requests = 0;   ///< that the backend made of the host
  std::uint64_t failed = 0;     ///< of these, the ones that did not end in a reply
  std::uint64_t received = 0;   ///< that the host made of the backend
  std::uint64_t denied = 0;     ///< of these, the ones refused by a rule
  std::uint64_t violations = 0; ///< of the wire protocol
  /// Since when the present process has not answered, once that is long enough to be told; the
  /// epoch while it answers.
  std::chrono::system_clock::time_point unresponsive_since;
  /// Why the last process ended, and how; none until one has.
  reason last_end = reason::none;
  std::string last_end_detail;
  sandbox_report sandbox;        ///< what contains the present process, or contained the last one
  start_times start;             ///< of the process that was Running last
  std::uint32_t spares = 0;      ///< ready processes that its next start can take
  std::uint64_t warm_starts = 0; ///< its starts from a ready process
  std::uint64_t cold_starts = 0; ///< its other starts that came to a process
  std::uint64_t spares_lost = 0; ///< ready processes that ended before they were taken
  std::uint32_t code_cached = 0; ///< scripts that its last start found compiled, as the host says
  resource_usage usage; ///< of the present process, as of the last second; of the last one, in all
  std::vector<std::string> commands;   ///< registered by the extension
  std::vector<std::string> last_lines; ///< of its output, oldest first, at most 20
};

} // namespace bulkhead
