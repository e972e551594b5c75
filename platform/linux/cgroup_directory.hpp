#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {

/// One control group in one hierarchy: its directory, held open, and its control files. Never
/// follows a symbolic link. Not thread-safe.
class cgroup_directory {
public:
  /// Empty, with errno set, where it can't be opened. `controllers` and `unified` as in
  /// cgroup_hierarchy; of version 2 the directory's own cgroup.controllers count.
  static std::optional<cgroup_directory> open(std::filesystem::path path,
                                              std::vector<std::string> controllers, bool unified);

  /// Makes a group inside, or opens the one that is there. Empty, with errno set, on failure.
  std::optional<cgroup_directory> make_child(std::string const& name) const;
  std::optional<cgroup_directory> open_child(std::string const& name) const;
  /// False, with errno set, where it is not empty yet or can't be removed; one that is not there is
  /// removed. What is open stays open.
  bool remove() const noexcept;
  /// The names of the groups inside.
  std::vector<std::string> children() const;

  std::filesystem::path const& path() const noexcept { return path_; }
  /// For clone3(CLONE_INTO_CGROUP).
  int fd() const noexcept { return fd_.get(); }
  bool unified() const noexcept { return unified_; }
  /// Whether limits of this kind can be set here.
  bool controls(std::string_view controller) const noexcept;

  /// The error number; 0 where it was written.
  int write(char const* file, std::string_view value) const noexcept;
  /// Empty where there is no such file or it can't be read.
  std::optional<std::string> read(char const* file) const;
  /// The number that a file holds; 0 where it holds none.
  std::uint64_t number(char const* file) const;
  /// The number behind a word in a file of lines such as `oom_kill 3`; 0 where there is none.
  std::uint64_t number(char const* file, std::string_view key) const;
  /// The processes of this group, without those of the groups inside.
  std::vector<pid_t> processes() const;
  /// Whether it holds no process, the groups inside included; true where it is gone.
  bool is_empty() const;
  /// A control file, open; empty, with errno set, on failure.
  unique_fd open_file(char const* file, int flags) const noexcept;

  /// Lets groups inside have what this one has of a controller (version 2). The error number, 0 on
  /// success. After it, controls() of new children is true.
  int delegate(std::string_view controller) const;

private:
  cgroup_directory(std::filesystem::path path, unique_fd fd, std::vector<std::string> controllers,
                   bool unified) noexcept
      : path_{std::move(path)}
      , fd_{std::move(fd)}
      , controllers_{std::move(controllers)}
      , unified_{unified} {}

  std::filesystem::path path_;
  unique_fd fd_;
  std::vector<std::string> controllers_;
  bool unified_;
};

/// Sends SIGKILL to every process of these groups, which are the same processes' in several
/// hierarchies: with cgroup.kill (Linux 5.14) where there is version 2; else with the group frozen
/// where there is a freezer, so that no new one escapes. Does not wait for their end. False where a
/// process was left out.
bool kill_processes(std::vector<cgroup_directory> const& directories);

} // namespace bulkhead::platform
