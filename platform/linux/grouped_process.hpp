#pragma once

#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/linux/cgroup.hpp>
#include <bulkhead/platform/process_source.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <memory>

namespace bulkhead::platform {

/// A process that nothing contains, in a control group: it has ended when nothing is left in the
/// group, whatever sessions and process groups it has spread over.
class grouped_process final : public process_source {
public:
  /// Takes over a process that has just been created, with a pidfd of it, and puts it into the
  /// group if it was not born there. That takes some 10 ms, and what it has started before is
  /// outside of the group.
  grouped_process(child_process process, unique_fd descriptor, std::shared_ptr<cgroup const> group,
                  bool is_member);

  pid_t pid() const noexcept override { return process_.pid(); }
  int descriptor() const noexcept override { return news_.get(); }
  std::optional<exit_status> collect() noexcept override;
  bool signal(int number) noexcept override { return process_.signal(number); }
  void kill_tree() noexcept override;

private:
  void join() const noexcept;
  bool is_empty() const noexcept;

  child_process process_;
  unique_fd descriptor_;
  std::shared_ptr<cgroup const> group_;
  unique_fd events_; ///< tells when the group is empty; none in version 1
  unique_fd news_;   ///< an epoll set of the two
  std::optional<exit_status> status_;
};

} // namespace bulkhead::platform
