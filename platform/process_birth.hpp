#pragma once

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

/// What may go wrong on the way to another program.
enum class birth_step : std::uint8_t {
  none,
  preparation, ///< no memory for a stack
  creation,    ///< the kernel refuses a process
  session,
  descriptors,
  program, ///< it can't be executed, or not in that folder
};

/// What a process is to be. All that it points to lives until give_birth() returns.
struct birth_plan {
  /// Ascending by number; every `ours` above all numbers, closed on exec. The child has no others.
  std::span<placed_descriptor const> descriptors;
  int executable = -1;          ///< one of these numbers: this file is executed; -1: `path`
  char const* path = nullptr;   ///< never looked up
  char const* const* arguments; ///< ends with null, as the environment does
  char const* const* environment;
  char const* directory = nullptr;       ///< where it works; null: where this process does
  int group = -1;                        ///< the folder of a control group of version 2; -1: none
  birth_step fail_at = birth_step::none; ///< for tests
};

struct birth_outcome {
  newborn child;
  birth_step failed_at = birth_step::none; ///< none: it runs
  int failed = 0;                          ///< the error number
};

/// Whether this kernel and this build can create a process inside a control group of version 2. It
/// takes a fifth of a millisecond; to join one afterwards takes about ten.
bool has_birth_in_group() noexcept;

/// Creates a process in its own session, all signals at their default and none blocked. It does not
/// copy the embedding program's memory, and returns when the program was executed or could not be.
/// May be called by any thread.
birth_outcome give_birth(birth_plan const& plan);

} // namespace bulkhead::platform
