#pragma once

#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/platform/linux/cgroup_directory.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace bulkhead::platform {

/// What a host may use; 0 is no limit.
struct cgroup_limits {
  std::uint64_t memory = 0;      ///< bytes, files in a tmpfs included; swap does not add to it
  std::uint32_t processes = 0;   ///< threads count, as the kernel counts them; Node needs 11
  std::uint32_t cpu_percent = 0; ///< of one core; 200 are two cores
};

/// What a host uses and has used. What no controller here counts stays 0.
struct cgroup_usage {
  std::uint64_t memory = 0;      ///< bytes, now
  std::uint64_t memory_peak = 0; ///< bytes; version 2 counts it since Linux 5.19
  std::chrono::microseconds cpu_time{};
  std::uint64_t processes = 0; ///< now; threads count where there is a limit on them
  std::uint64_t oom_kills = 0; ///< processes that the memory limit ended
};

/// The control group of one host, in every hierarchy that is needed for its limits: bounds, counts
/// and kills all that the host's process starts, whatever it does. The destructor kills what is
/// left and removes the group if it empties at once; else the next run does. Not thread-safe.
class cgroup {
public:
  cgroup(cgroup&&) noexcept = default;
  cgroup& operator=(cgroup&&) = delete;
  ~cgroup();

  /// Each limit that was asked for, "memory", "processes" and "cpu": whether it holds here, and by
  /// what or why not.
  std::vector<sandbox_report::layer> const& limits() const noexcept { return limits_; }

  /// Of version 2, for clone3(CLONE_INTO_CGROUP); -1 where there is none.
  int directory_fd() const noexcept;
  /// Into each of these a new process, while it has one thread, writes "0" to become a member.
  /// `cloned_into`: it was started in directory_fd() already. They stay this object's.
  std::vector<int> join_fds(bool cloned_into) const;

  cgroup_usage usage() const;
  /// Nothing where no process inside has run since they had used `before`: all is as it was, but
  /// for memory that the kernel took back. For the cost of one file then, instead of up to five.
  /// Never nothing where `before` is 0.
  std::optional<cgroup_usage> usage_since(std::chrono::microseconds before) const;

  /// Sends SIGKILL to every process inside and does not wait for their end, some milliseconds.
  /// False where one was left out.
  bool kill() const { return kill_processes(directories_); }
  bool is_empty() const;
  /// Removes the group; false as long as a process in it has not ended wholly: try again.
  bool remove() noexcept;

private:
  friend class cgroup_tree;
  explicit cgroup(std::vector<cgroup_directory> directories);

  void set(cgroup_limits const& limits);
  std::chrono::microseconds cpu_time() const;
  cgroup_directory const* that_controls(std::string_view controller) const noexcept;

  std::vector<cgroup_directory> directories_; ///< empty: removed
  std::vector<unique_fd> members_;            ///< where each is joined, open for it
  std::vector<sandbox_report::layer> limits_;
};

} // namespace bulkhead::platform
