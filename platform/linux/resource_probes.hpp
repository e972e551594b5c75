#pragma once

#include <bulkhead/platform/machine_report.hpp>

#include <sys/types.h>
#include <vector>

namespace bulkhead::platform {

/// What control groups bound here: memory, processes, CPU time. A group is made with limits on
/// them, joined by a process and removed.
std::vector<mechanism> probe_limits();

/// Whether root can become the users of its hosts, and nobody else is one of them. Root only.
mechanism probe_host_users(uid_t first, std::uint32_t count);

/// Whether a secret of the largest size is kept out of the swap.
mechanism probe_locked_memory();

} // namespace bulkhead::platform
