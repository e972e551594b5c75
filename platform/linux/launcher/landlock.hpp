#pragma once

namespace bulkhead::launcher {

/// The version of Landlock's interface that this kernel has; negative with errno where it has none.
int landlock_version() noexcept;

/// Restricts this process and all that come from it to the plan's path rules, for good.
void restrict_paths() noexcept;

} // namespace bulkhead::launcher
