#include <bulkhead/platform/linux/cgroup.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <fcntl.h>
#include <functional>

namespace bulkhead::platform {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

/// In which a host's share of CPU time is counted out, in microseconds: the kernel's own default.
/// Shorter costs more switches, longer makes a host that used its share wait longer.
constexpr std::uint64_t cpu_period = 100'000;

std::uint64_t cpu_quota(std::uint32_t percent) noexcept {
  return cpu_period * percent / 100;
}

int limit_memory(cgroup_directory const& group, std::uint64_t bytes) {
  auto const value = std::to_string(bytes);
  if (group.unified()) {
    auto const failed = group.write("memory.max", value);
    // Both are missing on kernels without swap accounting, or before 4.19.
    group.write("memory.swap.max", "0");
    group.write("memory.oom.group", "1");
    return failed;
  }
  auto const failed = group.write("memory.limit_in_bytes", value);
  // Memory and swap together; missing without swap accounting: then at least nothing is swapped.
  if (group.write("memory.memsw.limit_in_bytes", value) != 0)
    group.write("memory.swappiness", "0");
  return failed;
}

int limit_processes(cgroup_directory const& group, std::uint32_t count) {
  return group.write("pids.max", std::to_string(count));
}

int limit_cpu(cgroup_directory const& group, std::uint32_t percent) {
  auto const quota = std::to_string(cpu_quota(percent));
  auto const period = std::to_string(cpu_period);
  if (group.unified())
    return group.write("cpu.max", quota + ' ' + period);
  if (auto const failed = group.write("cpu.cfs_period_us", period); failed != 0)
    return failed;
  return group.write("cpu.cfs_quota_us", quota);
}

/// Where a process with one thread joins by writing "0". In version 1 that is `tasks`: a thread
/// that moves itself is spared the lock over all processes, which cgroup.procs takes and which
/// waits for every processor, some 10 ms (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
/// Version 2 has no such file for groups that hold memory.
char const* joining_file(cgroup_directory const& directory) noexcept {
  return directory.unified() ? "cgroup.procs" : "tasks";
}

} // namespace

cgroup::cgroup(std::vector<cgroup_directory> directories)
    : directories_{std::move(directories)} {
  for (auto const& directory : directories_)
    members_.push_back(directory.open_file(joining_file(directory), O_WRONLY));
}

cgroup::~cgroup() {
  if (directories_.empty())
    return;
  kill();
  remove();
}

cgroup_directory const* cgroup::that_controls(std::string_view controller) const noexcept {
  auto const found = std::ranges::find_if(
      directories_, [&](cgroup_directory const& group) { return group.controls(controller); });
  return found == directories_.end() ? nullptr : &*found;
}

void cgroup::set(cgroup_limits const& limits) {
  auto const apply = [&](char const* name, char const* controller, auto value, auto write) {
    if (value == 0)
      return;
    auto const* const group = that_controls(controller);
    if (group == nullptr) {
      limits_.push_back({name, false, std::string{"no control group for "} + controller});
      return;
    }
    auto const failed = write(*group, value);
    limits_.push_back(
        {name, failed == 0,
         failed == 0 ? "control group " + group->path().string()
                     : "can't be set in " + group->path().string() + ": " + errno_text(failed)});
  };
  apply("memory", "memory", limits.memory, limit_memory);
  apply("processes", "pids", limits.processes, limit_processes);
  apply("cpu", "cpu", limits.cpu_percent, limit_cpu);
}

int cgroup::directory_fd() const noexcept {
  auto const found = std::ranges::find_if(directories_, &cgroup_directory::unified);
  return found == directories_.end() ? -1 : found->fd();
}

std::vector<int> cgroup::join_fds(bool cloned_into) const {
  std::vector<int> files;
  for (std::size_t i = 0; i < directories_.size(); ++i)
    if (members_[i] && !(cloned_into && directories_[i].unified()))
      files.push_back(members_[i].get());
  return files;
}

microseconds cgroup::cpu_time() const {
  // Version 2 counts CPU time without any controller.
  auto const unified = std::ranges::find_if(directories_, &cgroup_directory::unified);
  if (unified != directories_.end())
    return microseconds{unified->number("cpu.stat", "usage_usec")};
  if (auto const* const group = that_controls("cpuacct"))
    return duration_cast<microseconds>(nanoseconds{group->number("cpuacct.usage")});
  return {};
}

cgroup_usage cgroup::usage() const {
  return *usage_since({});
}

std::optional<cgroup_usage> cgroup::usage_since(microseconds before) const {
  cgroup_usage used;
  // First: what runs from now on is seen by the next one.
  used.cpu_time = cpu_time();
  if (used.cpu_time == before && before.count() != 0)
    return std::nullopt;
  if (auto const* const group = that_controls("memory")) {
    auto const unified = group->unified();
    used.memory = group->number(unified ? "memory.current" : "memory.usage_in_bytes");
    used.memory_peak = group->number(unified ? "memory.peak" : "memory.max_usage_in_bytes");
    used.oom_kills = group->number(unified ? "memory.events" : "memory.oom_control", "oom_kill");
  }
  if (auto const* const group = that_controls("pids")) {
    used.processes = group->number("pids.current");
  } else if (!directories_.empty()) {
    used.processes = directories_.front().processes().size();
  }
  return used;
}

bool cgroup::is_empty() const {
  return std::ranges::all_of(directories_, &cgroup_directory::is_empty);
}

bool cgroup::remove() noexcept {
  std::erase_if(members_, [](unique_fd const&) { return true; });
  std::erase_if(directories_, [](cgroup_directory const& group) { return group.remove(); });
  return directories_.empty();
}

} // namespace bulkhead::platform
