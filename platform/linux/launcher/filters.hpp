#pragma once

namespace bulkhead::launcher {

/// Leaves stage 2 what it needs to wait, to report and to end. Any other system call ends it, and
/// with it the sandbox. Zero, or negative with errno.
int keep_to_waiting() noexcept;

/// Lets this process signal none but itself: what a namespace of processes would do. Zero, or
/// negative with errno.
int keep_signals_to_self() noexcept;

/// Installs the filter of the plan. `listener` becomes what tells of the calls that the filter
/// answers by telling, closed on exec. Where the kernel gives none, because a filter around this
/// launch has one already or the kernel is too old, these calls kill the process; -1 then, and
/// where the filter tells of nothing. Zero, or negative with errno.
int install_program_filter(int& listener) noexcept;

} // namespace bulkhead::launcher
