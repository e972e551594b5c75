#pragma once

namespace bulkhead::launcher {

/// Kills every process that came from this one and was not waited for, as the end of a namespace
/// would; those that they leave behind come to this one, a subreaper, and are killed as well.
void end_offspring() noexcept;

} // namespace bulkhead::launcher
