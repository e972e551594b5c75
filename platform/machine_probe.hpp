#pragma once

#include <bulkhead/platform/interpreter.hpp>
#include <bulkhead/platform/machine_report.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace bulkhead::platform {

struct probe_options {
  std::filesystem::path bubblewrap = "/usr/bin/bwrap"; ///< absolute
  std::string search_path = environment_search_path(); ///< where Node.js is looked for
  /// The uids that hosts get where this process is root: the first, and how many.
  std::uint32_t first_uid = 70'001;
  std::uint32_t uids = 1;
};

/// Finds out what this machine can enforce for the current user by doing it: in processes of its
/// own that restrict themselves, in a control group that is removed again, and in whole launches of
/// `sh -c :` under both tiers. No version is believed, and nothing is left behind; what dead runs
/// left is removed (cgroup_tree).
///
/// Takes about 0.2 s, and at most some seconds where something hangs. Forks; may be called by any
/// thread while no other changes the environment.
machine_report probe_machine(probe_options const& options = {});

} // namespace bulkhead::platform
