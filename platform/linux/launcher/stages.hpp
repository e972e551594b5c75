#pragma once

namespace bulkhead::launcher {

/// The exit code of a launcher that did not get to the program. The record says more.
inline constexpr int exit_failed = 121;

/// Outside the sandbox: joins the cgroups, stages the mounts and becomes the host's user, then
/// executes bubblewrap; without a root of its own it goes on as stage 2.
[[noreturn]] void run_stage_one() noexcept;

/// Inside the sandbox, as its first process: gives up what it must never have, forks the process
/// that becomes the program, and stays to reap, to report and to end everything.
[[noreturn]] void run_stage_two() noexcept;

/// The last steps of the process that becomes the program. `keeper` is its end of a socketpair to
/// stage 2, which gives the word.
[[noreturn]] void become_program(int keeper) noexcept;

/// Waits for the end of the library and then ends all that it left.
[[noreturn]] void run_guard() noexcept;

} // namespace bulkhead::launcher
