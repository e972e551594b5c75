#include <bulkhead/config/policy.hpp>

#include <algorithm>

namespace bulkhead {

host_policy const* policy::find_host(std::string_view id) const noexcept {
  auto const found = std::ranges::find(hosts, id, &host_policy::id);
  return found != hosts.end() ? &*found : nullptr;
}

} // namespace bulkhead
