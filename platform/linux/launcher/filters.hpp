#pragma once

namespace bulkhead::launcher {

/// Leaves stage 2 what it needs to wait, to report and to end. Any other system call ends it, and
/// with it the sandbox. Zero, or negative with errno.
int keep_to_waiting() noexcept;

/// Lets this process signal none but itself: what a namespace of processes would do. Zero, or
/// negative with errno.
int keep_signals_to_self() noexcept;

/// Installs the filter of the plan. Zero, or negative with errno.
int install_program_filter() noexcept;

} // namespace bulkhead::launcher
