#pragma once

#include <bulkhead/platform/containment.hpp>
#include <bulkhead/platform/linux/cgroup.hpp>
#include <bulkhead/platform/linux/launch_report.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <memory>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace bulkhead::platform {

/// Where the use of a host's processes is read from.
struct host_probe final : usage_probe {
  std::shared_ptr<cgroup const> group;         ///< null: by /proc
  pid_t program = 0;                           ///< 0: it does not run
  std::shared_ptr<unique_fd const> descriptor; ///< its pidfd
  std::optional<launch_report::usage> ended;   ///< what was told at its end
  resource_usage before;                       ///< what the last look at it told
};

/// See containment::measure.
std::vector<resource_usage> measure(std::vector<std::shared_ptr<usage_probe const>> const& probes);

} // namespace bulkhead::platform
