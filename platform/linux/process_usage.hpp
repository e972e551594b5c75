#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

namespace bulkhead::platform {

/// A process whose tree is looked at; the descriptor stays the caller's.
struct observed_process {
  pid_t process;
  int pidfd; ///< of that process: without it a number that was given to another one would count
};

/// What a process and all its descendants use. Without a control group a descendant counts as long
/// as its ancestors live, or a subreaper among them.
struct process_usage {
  std::uint64_t memory = 0; ///< resident bytes; what processes share counts once for each
  /// Since their start, with that of descendants that have ended and were awaited.
  std::chrono::microseconds cpu_time{};
  std::uint32_t processes = 0;
  std::uint32_t threads = 0;
  std::uint32_t open_files = 0; ///< of those processes that this user may look into
};

/// The usage of each tree, in the same order, by one walk over /proc: on a machine of 500 processes
/// some 5 ms, for any number of trees. Empty where the process has ended. May be called by any
/// thread.
std::vector<std::optional<process_usage>> usage_of(std::span<observed_process const> observed);

/// How many files one process has open; 0 where it has ended or this user may not look.
std::uint32_t open_files_of(pid_t process);

/// The bytes of one process with shared pages counted in part (PSS), which the kernel sums up page
/// by page: for a report, not for each second. Empty where the process has ended or can't be looked
/// into.
std::optional<std::uint64_t> proportional_memory(observed_process const& observed);

} // namespace bulkhead::platform
