#pragma once

#include <bulkhead/platform/linux/launch_plan.hpp>
#include <bulkhead/platform/linux/sandbox.hpp>

#include <string>
#include <vector>

namespace bulkhead::platform {

/// What the program's file system consists of, for the two who make it: bubblewrap, which mounts,
/// and Landlock, which grants. Pure: nothing is opened here.

enum class mount_source : std::uint8_t {
  program, ///< sandbox_spec::program
  host,    ///< `outside`
  bytes,   ///< `content`
};

/// One thing to be mounted, in the order of launch::first_bind and the descriptors after it.
struct root_mount {
  mount_source from = mount_source::host;
  std::filesystem::path outside;
  std::string content;
  std::filesystem::path inside;
  bool writable = false;
  bool executable = false;
};

/// The program, what is bound and what is placed.
std::vector<root_mount> mounts_of(sandbox_spec const& spec);

/// bubblewrap's options, each ended by a null byte. Where mounts are `staged`, those of the host
/// are at staged_path() already, else they come by descriptor.
std::string bubblewrap_options(sandbox_spec const& spec, std::vector<root_mount> const& mounts,
                               bool staged);

/// Where stage 1 attaches what bubblewrap mounts.
std::string staged_path(std::size_t mount);
inline constexpr char staging_folder[] = "/run";

/// A path as the program sees it, and what it may do there (launch::landlock_right).
struct granted_path {
  std::filesystem::path path;
  std::uint64_t rights = 0;
};

/// All that the program may open. Everything else is refused.
std::vector<granted_path> grants_of(sandbox_spec const& spec);

} // namespace bulkhead::platform
