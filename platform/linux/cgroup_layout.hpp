#pragma once

#include <bulkhead/messages/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// A mounted hierarchy of control groups, as this process sees it.
struct cgroup_hierarchy {
  std::filesystem::path root; ///< where it is mounted
  std::filesystem::path own;  ///< the directory of this process's own group
  /// Version 1: what it controls, such as "memory". Version 2: empty, as each directory says it.
  std::vector<std::string> controllers;
  bool unified = false; ///< version 2

  friend bool operator==(cgroup_hierarchy const&, cgroup_hierarchy const&) = default;
};

/// From the text of /proc/self/mountinfo and /proc/self/cgroup (proc(5), cgroups(7)); lines of
/// another shape are passed over. Version 2 comes first.
std::vector<cgroup_hierarchy> parse_cgroups(std::string_view mounts, std::string_view own);

/// What is mounted on this machine; none where nothing is. Fails with cgroup_unavailable where
/// /proc can't be read.
result<std::vector<cgroup_hierarchy>> find_cgroups();

} // namespace bulkhead::platform
