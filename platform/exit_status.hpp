#pragma once

#include <cstdint>
#include <string>

namespace bulkhead::platform {

/// How a process ended.
enum class exit_kind : std::uint8_t {
  exited,   ///< by itself, with an exit code
  signaled, ///< by a signal
  unknown,  ///< somebody else took its exit status, as when the embedding program ignores SIGCHLD
  not_started, ///< a step of its launch into a sandbox failed: the program was never executed
};

/// What is known of a process that ended.
struct exit_status {
  exit_kind kind = exit_kind::unknown;
  /// The exit code (0-255), the signal's number or the launch's step; 0 where unknown.
  int value = 0;
  bool core_dumped = false; ///< only with `signaled`
  /// Only with SIGSYS: the system call that its filter stopped, "ptrace (101)". Empty where that is
  /// not known.
  std::string forbidden_call{};

  friend bool operator==(exit_status const&, exit_status const&) = default;
};

/// "exit code 3", "signal SIGSEGV, core dumped", "never ran: its launch failed at step 313" or
/// "unknown exit status".
std::string to_string(exit_status const& status);

} // namespace bulkhead::platform
