#pragma once

#include <bulkhead/platform/machine_report.hpp>

#include <filesystem>
#include <sys/types.h>

namespace bulkhead::platform {

/// Whether bubblewrap is there, safe from other users, and knows each option that a launch gives.
mechanism probe_bubblewrap(std::filesystem::path const& bubblewrap);

/// "basic launch" or "strong launch", and what it is needed for.
mechanism launch_of(sandbox_tier tier);

/// Launches `sh -c :` under a tier as a host is launched, and says which step failed.
mechanism probe_launch(sandbox_tier tier, std::filesystem::path const& bubblewrap, uid_t host_user);

} // namespace bulkhead::platform
