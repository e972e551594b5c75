#pragma once

#include <bulkhead/config/permission.hpp>

#include <optional>
#include <span>
#include <string_view>

namespace bulkhead {

/// One type of request that belongs to the protocol: no backend handles it, and no policy names it
/// under [requests].
struct served_request {
  std::string_view type;
  std::optional<permission> needs; ///< nothing: every extension may send it
  bool reserved;                   ///< for a service that this version does not have
};

/// All of them (docs/protocol.md).
std::span<served_request const> served_requests() noexcept;

/// The one of that type; null for a type that is the embedder's.
served_request const* find_served_request(std::string_view type) noexcept;

} // namespace bulkhead
