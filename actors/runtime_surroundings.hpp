#pragma once

#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/request_router.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/containment.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <spdlog/logger.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace bulkhead {

/// What all actors of one runtime work with. It outlives them.
struct runtime_surroundings {
  loop& on;
  policy const& rules;
  std::shared_ptr<spdlog::logger> log;
  request_router& router;
  platform::run_directory& place;
  platform::containment& containment;
  std::filesystem::path bootstrap; ///< the script that Node runs
  /// The policy as it was given last; of `rules` it may differ in what is decided at each request.
  std::function<std::shared_ptr<policy const>()> active;
  /// The loop's read buffer: as much as the kernel hands over in one read of a Unix socket by
  /// default.
  std::vector<char> scratch = std::vector<char>(256 * 1024);
};

} // namespace bulkhead
