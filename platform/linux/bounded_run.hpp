#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/process.hpp>

#include <chrono>
#include <string>

namespace bulkhead::platform {

/// What a program that ended left behind: of each stream what a pipe holds, 64 KiB.
struct bounded_run {
  exit_status status;
  std::string output;
  std::string errors;
};

/// How long a program may take that only has to say something about itself.
inline constexpr std::chrono::milliseconds run_patience{3000};

/// Runs a program to its end and waits for that. Fails with spawn_failed, also where it takes
/// longer than run_patience: it is killed then.
result<bounded_run> run_bounded(process_spec const& spec);

/// Waits for the end of a process in the same way.
result<exit_status> wait_bounded(child_process process);

} // namespace bulkhead::platform
