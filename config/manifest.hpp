#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

namespace bulkhead {

/// A package.json is text that somebody wrote by hand; npm's largest are far below this.
inline constexpr std::size_t manifest_file_limit = 1u << 20;

/// What an extension says of itself.
struct manifest {
  std::string id;      ///< "publisher.name", or "name" where no publisher is given
  std::string version; ///< as written; empty where none is
  std::filesystem::path
      folder; ///< absolute: the extension's, or the one that the single file is in
  std::filesystem::path
      main; ///< absolute: the file that Node loads; it exists and is inside the folder
  permission_set permissions; ///< what it asks for
};

/// Reads an extension: a folder with package.json, or a single .js, .mjs or .cjs file, which is
/// named by its stem and asks for nothing. `main` may lack its ".js" or name a folder with
/// index.js, as Node allows. Fails with extension_unusable, or with policy_unknown_permission where
/// it asks for something that does not exist.
result<manifest> load_manifest(std::filesystem::path const& extension);

/// What an extension may really do, and what it asked for in vain.
struct effective_permissions {
  permission_set held;    ///< asked for and granted
  permission_set refused; ///< asked for and not granted
};

/// The intersection of what the policy grants and the extension asks for. Fails with
/// policy_conflict where it asks for more and the policy says strict_permissions.
result<effective_permissions> resolve_permissions(host_policy const& host, manifest const& asked);

} // namespace bulkhead
