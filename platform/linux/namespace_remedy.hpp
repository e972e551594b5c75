#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace bulkhead::platform {

/// The settings of a machine by which namespaces are usually refused; empty where it has none of
/// that name. They explain a refusal that was seen, and decide nothing.
struct namespace_restrictions {
  std::optional<long> apparmor{}; ///< kernel.apparmor_restrict_unprivileged_userns: Ubuntu 23.10
  std::optional<long> unprivileged{}; ///< kernel.unprivileged_userns_clone: older Debian, 0 forbids
  std::optional<long> most{};         ///< user.max_user_namespaces
  bool in_container = false;          ///< Docker's and Podman's marks are there

  /// Of this machine, or of one whose files are below another root.
  static namespace_restrictions read(std::filesystem::path const& root = "/");
};

/// What whoever administers such a machine does so that namespaces can be made.
std::string namespace_remedy(namespace_restrictions const& found);

} // namespace bulkhead::platform
