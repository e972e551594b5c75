#pragma once

#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/containment.hpp>
#include <bulkhead/platform/file_digest.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace bulkhead {

/// An object of the file system, whatever it holds: a file that is written in place stays what it
/// is, one that is replaced does not.
struct launched_object {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  friend bool operator==(launched_object const&, launched_object const&) = default;
};

/// All that decides what a process of a host is before its extension is loaded: what it runs,
/// finds, may do and may use. Processes of equal profiles can stand in for each other. What is
/// compared is every member of the types below, so that none can be forgotten.
struct launch_profile {
  platform::containment_spec what; ///< but for the host's name
  launched_object program;
  std::vector<launched_object> readable;         ///< what the paths to read led to
  std::optional<platform::file_identity> filter; ///< of system calls, where the policy names one

  friend bool operator==(launch_profile const&, launch_profile const&) = default;
};

/// Looks up what the paths of the specification lead to now. Fails with file_not_found or
/// file_unavailable. Any thread.
result<launch_profile> profile_of(platform::containment_spec what);

/// Whether two profiles are equal; null is equal to null alone.
bool is_same(launch_profile_ptr const& one, launch_profile_ptr const& other);

} // namespace bulkhead
