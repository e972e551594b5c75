#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead {

/// Why a host entered its state. Numbers are stable and never reused; a new reason gets a new
/// number.
enum class reason : std::uint16_t {
  none = 0,                    ///< nothing has happened yet
  requested = 4100,            ///< somebody called start() or stop(), or the policy starts it
  clean_exit = 4101,           ///< the process ended with exit code 0 without being asked to
  exit_code = 4102,            ///< the process ended with another exit code
  signal = 4103,               ///< a signal ended the process
  out_of_memory = 4104,        ///< the kernel ended it at its memory limit
  hung = 4105,                 ///< it did not answer for longer than its policy allows
  start_timeout = 4106,        ///< it did not say that it is ready before the start deadline
  restart_budget_spent = 4107, ///< it failed more often than its policy allows
  launch_failed = 4108,        ///< the process could not be created
  protocol_violation = 4109,   ///< it broke the wire protocol
  limit_exceeded = 4110,       ///< it passed a resource limit
  integrity_failure = 4111,    ///< interpreter or extension are not what the policy pins
  sandbox_failure = 4112,      ///< the sandbox could not be set up
  connection_closed = 4113,    ///< it closed its connection and went on running
  ready = 4114,                ///< it said that it is ready
  backoff = 4115,              ///< it is started again after its backoff
  group_restart = 4116,        ///< a host of its group ended, and it is started again with it
  group_stopped = 4117,        ///< a host of its group has crashed, and it does not run without it
};

/// What is known of a reason: its stable name, what happened, and what to do about it.
struct reason_description {
  reason code;
  std::string_view name;     ///< "exit_code"
  std::string_view sentence; ///< what happened, as one sentence without the host's name
  std::string_view remedy;   ///< what the operator can do; empty where there is nothing to do
};

/// Every reason, in the order of its number.
std::span<reason_description const> all_reasons() noexcept;

/// The description of one reason; that of `none` for a number that is not a reason.
reason_description const& describe(reason code) noexcept;

/// Its stable name.
inline std::string_view to_string(reason code) noexcept {
  return describe(code).name;
}

/// Whether a restart could help. It can't where the same start would fail the same way again.
bool allows_restart(reason code) noexcept;

} // namespace bulkhead
