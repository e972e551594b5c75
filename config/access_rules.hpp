#pragma once

#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/config/permission.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/error.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// The folders of a host's own. It may read its extension, and read and write the others, given the
/// fileSystem permissions.
struct host_folders {
  std::filesystem::path extension; ///< a folder or a single file; empty where none is named
  std::filesystem::path storage;   ///< what it keeps
  std::filesystem::path logs;
  std::filesystem::path temp; ///< goes with the runtime
};

/// The folders of one host of a runtime whose own directory is `runtime_folder`.
host_folders folders_of(policy const& rules, host_policy const& host,
                        std::filesystem::path const& runtime_folder);

/// A file or folder that no rule of a policy opens.
struct closed_place {
  path_pattern rule;
  /// Also the files beside it whose names go on with a dot, such as a lock.
  bool with_companions;

  bool holds(std::string_view canonical) const noexcept;
};

/// What one host may do, ready to decide with. Immutable; any thread.
struct host_access {
  std::string host;
  permission_set granted; ///< by the policy; what holds is this and what the manifest asks for
  path_rules paths;       ///< the policy's, and those of the host's own folders
  host_folders own;
  std::vector<std::string> workspace; ///< canonical paths
  std::string home; ///< canonical: what a relative path of the extension's is relative to
  rate_limit_policy rate_limit;
  host_limits limits;
  /// Where the paths that are allowed lie; no one of these lies in another.
  std::vector<std::string> roots;

  /// What Bulkhead itself lives on: the state directory but for the host's own folders, the policy,
  /// the vault's passphrase. No rule of a policy opens it, as the vault, the audit log and other
  /// hosts' files are there.
  std::vector<closed_place> closed;
  /// The one of these that a canonical path lies in; null where it lies in none.
  path_pattern const* closed_by(std::string_view canonical) const noexcept;
  /// What is closed is denied; the path rules decide about the rest.
  path_decision decide(path_action action, std::string_view canonical) const noexcept;

  /// The root that a canonical path lies in; empty where it lies in none. An operation stays
  /// beneath it. It is the outermost one, so that nothing which the extension may write decides
  /// where a root leads.
  std::string_view root_of(std::string_view canonical) const noexcept;
};

using host_access_ptr = std::shared_ptr<host_access const>;

/// What was decided about one request. One that is decided into again keeps its buffers.
struct access_decision {
  enum class outcome : std::uint8_t { allowed, permission_denied, path_denied, path_invalid };

  outcome result = outcome::permission_denied;
  /// The permission that the request needs: held where it is allowed, missing where it is not.
  /// Nothing where none is needed, or where the type is named nowhere.
  std::optional<permission> needed;
  /// The paths that it names, canonical, in the order of served_request::paths; empty ones behind
  /// the one that was refused.
  std::array<std::string, 2> paths;
  /// The path rule that decided: the one that denies, else that of the last path. Belongs to the
  /// host_access.
  path_pattern const* rule = nullptr;
};

/// Everything that a policy says about what hosts may ask for. Immutable; any thread.
class access_rules {
public:
  /// Compiles the policy's rules. Fails with policy_invalid_pattern, or with policy_out_of_range
  /// for a host whose id is no name: it is part of paths.
  static result<std::shared_ptr<access_rules const>>
  compile(policy const& rules, std::filesystem::path const& runtime_folder);

  /// Null for a host that the policy does not have.
  host_access_ptr find(std::string_view host) const;

  /// Decides about a request of a host that holds `held`. `payload` is valid JSON text. A type that
  /// neither the protocol nor the policy's [requests] names is refused. All of `into` is written.
  void decide(host_access const& host, permission_set const& held, std::string_view type,
              std::string_view payload, access_decision& into) const;

private:
  std::map<std::string, permission, std::less<>> embedder_; // [requests]
  std::map<std::string, host_access_ptr, std::less<>> hosts_;
};

} // namespace bulkhead
