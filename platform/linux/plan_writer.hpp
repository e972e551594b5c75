#pragma once

#include <bulkhead/platform/linux/launch_plan.hpp>
#include <bulkhead/platform/linux/sandbox_root.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// What the writer has to know beside the spec.
struct plan_surroundings {
  std::vector<root_mount> const& mounts;
  std::vector<bool> const& folders; ///< which of the mounts are folders
  bool staged = false;              ///< the launch is root's: mounts and user are its work
  std::size_t joins = 0;
};

/// The launcher's plan for a spec, as the bytes of its file. Fails with spawn_failed where the spec
/// asks for more than a plan holds. Pure.
result<std::vector<std::byte>> write_plan(sandbox_spec const& spec,
                                          plan_surroundings const& around);

} // namespace bulkhead::platform
