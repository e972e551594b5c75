#pragma once

#include <bulkhead/config/permission.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// Which permission a request needs, by its type: the protocol's own for those that Bulkhead
/// serves, the policy's [requests] table for the embedder's. A type that neither names is refused.
class request_rules {
public:
  struct decision {
    bool allowed = false;
    /// The permission that is missing; nothing if the type is named nowhere.
    std::optional<permission> missing;
  };

  explicit request_rules(std::map<std::string, permission, std::less<>> embedder)
      : embedder_{std::move(embedder)} {}

  decision decide(std::string_view type, permission_set const& granted) const noexcept;

private:
  std::map<std::string, permission, std::less<>> embedder_;
};

} // namespace bulkhead
