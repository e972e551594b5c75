#include <bulkhead/config/request_rules.hpp>

#include <bulkhead/config/served_requests.hpp>

namespace bulkhead {

request_rules::decision request_rules::decide(std::string_view type,
                                              permission_set const& granted) const noexcept {
  auto const with = [&](permission needed) -> decision {
    if (granted.contains(needed))
      return {true, std::nullopt};
    return {false, needed};
  };
  if (auto const* const served = find_served_request(type))
    return served->needs ? with(*served->needs) : decision{true, std::nullopt};
  auto const found = embedder_.find(type);
  return found != embedder_.end() ? with(found->second) : decision{};
}

} // namespace bulkhead
