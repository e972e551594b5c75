#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/linux/launch_step.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <compare>
#include <cstdint>
#include <span>
#include <sys/types.h>

namespace bulkhead::platform {

/// A descriptor of ours and its number in the child.
struct placed_descriptor {
  int number = 0;
  int ours = -1;

  friend auto operator<=>(placed_descriptor const&, placed_descriptor const&) = default;
};

/// A process that was created, and its pidfd.
struct newborn {
  pid_t pid = 0;
  unique_fd descriptor;
};

/// Whether this kernel and this build can create a process inside a control group of version 2. It
/// takes a fifth of a millisecond; to join one afterwards takes about ten.
bool has_birth_in_group() noexcept;

/// What the launcher is to be: its only argument.
enum class launcher_part : std::uint8_t { stage_one, guard };

/// Creates the launcher with exactly these descriptors (ascending by number; every `ours`
/// above all numbers, closed on exec), of which launcher_file is the program, in its own session,
/// all signals at their default and none blocked. `group` is the folder of a control group or -1.
/// It does not copy the embedding program's memory, and returns when the launcher was executed or
/// could not be. `fail_at` is for tests. Fails with spawn_failed where the kernel refuses a
/// process, else with sandbox_step_failed. May be called by any thread.
result<newborn> create_launcher(launcher_part part, std::span<placed_descriptor const> descriptors,
                                int group = -1, step fail_at = step::none);

} // namespace bulkhead::platform
