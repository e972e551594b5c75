#pragma once

#include <bulkhead/platform/machine_report.hpp>

#include <sys/types.h>

namespace bulkhead::platform {

// What the kernel, and those who configured it, let this user do. Each says it of one mechanism,
// after having done it. `host_user` is who a host would be where this process is root.

mechanism probe_user_namespaces(uid_t host_user);
mechanism probe_landlock();
mechanism probe_seccomp();
mechanism probe_pidfd();
mechanism probe_programs_in_memory();
mechanism probe_openat2();

/// The version of Landlock's interface; 0: there is none.
int landlock_version() noexcept;

} // namespace bulkhead::platform
