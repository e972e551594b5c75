#pragma once

#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/config/permission.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bulkhead {

/// One type of request that belongs to the protocol: no backend handles it, and no policy names it
/// under [requests].
struct served_request {
  /// A member of the payload that names a path, and what is done to it.
  struct path_member {
    std::string_view name;
    path_action action;
  };

  std::string_view type;
  std::optional<permission> needs;    ///< nothing: every extension may send it
  std::span<path_member const> paths; ///< each has to be allowed by the path rules
  bool changes; ///< it changes a file, or concerns a secret: an audit log records it
  bool takes_attachment = false; ///< its content may come beside the JSON
};

/// All of them (docs/protocol.md).
std::span<served_request const> served_requests() noexcept;

/// The one of that type; null for a type that is the embedder's.
served_request const* find_served_request(std::string_view type) noexcept;

/// The table of docs/protocol.md: which request needs which permission and which path rule.
std::string served_requests_table();

} // namespace bulkhead
