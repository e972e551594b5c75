#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/reason.hpp>
#include <bulkhead/platform/exit_status.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// Whether a line of a host's output is what V8 or the C++ library says before it aborts for want
/// of memory.
bool says_out_of_memory(std::string_view line) noexcept;

/// What is known when the process of a host has ended.
struct exit_facts {
  platform::exit_status status;
  std::uint64_t oom_kills = 0;      ///< processes of the host that its memory limit has ended
  std::optional<error> not_started; ///< why the program never ran
  bool said_out_of_memory = false;  ///< it printed what a runtime prints then
  std::uint64_t memory_peak = 0;    ///< bytes that it held at most; 0: not known
  host_limits const& limits;
};

/// Why a process ended, as one sentence with numbers.
struct exit_cause {
  reason why;
  std::int32_t code; ///< the exit code or the signal's number
  std::string detail;
};

/// Tells an exit, a crash, a forbidden system call, the memory limit's end, V8's own and the other
/// limits' signals apart.
exit_cause cause_of(exit_facts const& facts);

/// Whether what a process printed last, which may not have been read yet, can change the cause.
bool depends_on_output(platform::exit_status const& status) noexcept;

/// Why a host could not be started.
reason reason_of_failed_start(errc code) noexcept;

} // namespace bulkhead
