#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>
#include <sys/types.h>

namespace bulkhead::platform {

/// A process of its own, one a runtime, that ends what a killed runtime leaves: sandboxed processes
/// and their control groups. It acts when this object, or the whole program, is gone, in whatever
/// way. Not thread-safe.
class host_guard {
public:
  /// Fails with spawn_failed.
  static result<host_guard> start();

  host_guard(host_guard&&) noexcept = default;
  host_guard& operator=(host_guard&&) = delete;
  /// Has it end what is left and waits for that: a few milliseconds where nothing is, seconds at
  /// most.
  ~host_guard();

  /// Takes care of a process, and of the process group that it leads, until it ends. `descriptor`
  /// is its pidfd, which stays the caller's. Fails with spawn_failed, as when the guard was killed.
  result<void> watch(pid_t leader, int descriptor);

  /// Takes care of a control group and of those directly below it: `folder` is one of cgroup
  /// version 1 or 2, an existing one that has a parent. Fails with cgroup_unavailable.
  result<void> watch_group(std::filesystem::path const& folder);

  /// Its number, for a status.
  pid_t pid() const noexcept { return pid_; }

private:
  host_guard(pid_t pid, unique_fd process, unique_fd socket) noexcept;

  pid_t pid_;
  unique_fd process_;
  unique_fd socket_;
};

} // namespace bulkhead::platform
