#pragma once

#include <bulkhead/platform/exit_status.hpp>
#include <bulkhead/platform/linux/launch_plan.hpp>
#include <bulkhead/platform/linux/launch_step.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <sys/types.h>

namespace bulkhead::platform {

/// What the launch of a contained process has said so far. It is written on the thread of the
/// process's event loop, and to be read there.
struct launch_report {
  using clock = std::chrono::steady_clock;

  clock::time_point created{};
  std::optional<clock::time_point> staged;    ///< cgroup, mounts and user are settled
  std::optional<clock::time_point> contained; ///< the sandbox's first process runs
  std::optional<clock::time_point> running;   ///< the program was executed
  std::optional<clock::time_point> ended;     ///< the program ended
  /// The version of Landlock's interface; 0: this kernel has none. Known once contained.
  int landlock = 0;
  /// The program's number as this process sees it; 0 until it runs.
  pid_t program = 0;
  /// Why the program was never executed. Complete when the exit handler runs.
  std::optional<launch_failure> failure;

  /// The system call that the program, or a process that it started, was ended for: "ptrace (101)".
  std::string forbidden_call;

  /// What the program and the children that it waited for used, once it ended.
  struct usage {
    std::chrono::microseconds user{};
    std::chrono::microseconds system{};
    std::uint64_t peak_bytes = 0; ///< the largest resident size of one process
  };
  std::optional<usage> used;
  /// How the program ended, as its sandbox saw it.
  std::optional<exit_status> end;
};

/// Hears of each thing that a launch says. Must not throw, and must not destroy the process.
using launch_listener = std::function<void(launch_report const&)>;

/// One record and the descriptor that came with it.
struct received_record {
  launch::status_record record{};
  unique_fd descriptor;
};

/// How one read of a status socket went.
enum class status_read : std::uint8_t {
  record,  ///< there was one
  nothing, ///< not now
  end,     ///< never again: nobody has the other end any more
};

/// Reads one record without waiting. One that is not a launcher's counts as the end.
status_read read_status(int socket, received_record& into) noexcept;

/// Enters a record into the report.
void take(launch::status_record const& record, launch_report& report);

/// What can be said of a contained process when nothing of it is left: `outer` is how the process
/// ended that was created, `killed` whether that was our doing, `said` what bubblewrap printed. A
/// launch that bubblewrap ended becomes a failure of the report here.
exit_status settle(launch_report& report, exit_status outer, bool killed, std::string said);

} // namespace bulkhead::platform
