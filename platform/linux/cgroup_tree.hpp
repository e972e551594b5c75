#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/platform/linux/cgroup.hpp>
#include <bulkhead/platform/linux/cgroup_layout.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::platform {

/// The control groups of one runtime: a directory `bulkhead-run-NAME` in every hierarchy that is
/// needed to bound memory, processes and CPU time, with a group inside for each host. It is made
/// below this process's own group where that is delegated to it (version 2 allows that only to a
/// group without processes of its own), else, by root, below the hierarchy's root; this process
/// itself is never moved. Not thread-safe.
class cgroup_tree {
public:
  /// First kills and removes what runtimes left behind that are gone: each holds a lock (flock) on
  /// its directories, which the kernel releases with the process; so no child may keep this
  /// process's descriptors without executing a program. Removing can take half a second where
  /// processes of a dead runtime still lived. `name` is this run's own, such as the name of its
  /// run_directory. Fails with cgroup_unavailable where no group can be made at all, with what to
  /// do; where one can, abilities() says what it can't bound.
  static result<cgroup_tree> create(std::string_view name,
                                    std::vector<cgroup_hierarchy> const& hierarchies);
  /// The same for the hierarchies of this machine.
  static result<cgroup_tree> create(std::string_view name);

  cgroup_tree(cgroup_tree&&) noexcept = default;
  cgroup_tree& operator=(cgroup_tree&&) = delete;
  /// Kills what is left in it, and removes it if it empties at once; else the next run does.
  ~cgroup_tree();

  /// "memory", "processes" and "cpu": whether they can be bounded, and by what or why not.
  std::span<sandbox_report::layer const> abilities() const noexcept { return abilities_; }
  /// What to do about those that can't.
  static std::string_view remedy() noexcept;

  /// A group of its own for one start of a host, whose name may be any text. A limit that does not
  /// hold is no failure here: see cgroup::limits(). Fails with cgroup_unavailable.
  result<cgroup> create_group(std::string_view host, cgroup_limits const& limits);

  /// This run's directories, for the guard that removes them with the groups inside.
  std::vector<std::filesystem::path> directories() const;
  /// Writing "1" to it kills all hosts of this run (cgroup.kill, Linux 5.14); empty where there is
  /// no such file.
  unique_fd kill_switch() const;

private:
  cgroup_tree() = default;

  std::vector<cgroup_directory> runs_;
  std::vector<sandbox_report::layer> abilities_;
  std::uint64_t groups_made_ = 0;
};

} // namespace bulkhead::platform
