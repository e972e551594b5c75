#include <bulkhead/config/policy.hpp>

#include <algorithm>

namespace bulkhead {

host_policy const* policy::find_host(std::string_view id) const noexcept {
  auto const found = std::ranges::find(hosts, id, &host_policy::id);
  return found != hosts.end() ? &*found : nullptr;
}

group_policy const* policy::group_of(std::string_view id) const noexcept {
  auto const found = std::ranges::find_if(groups, [&](group_policy const& group) {
    return std::ranges::find(group.hosts, id) != group.hosts.end();
  });
  return found != groups.end() ? &*found : nullptr;
}

std::filesystem::path policy::vault_file() const {
  return secrets.vault.empty() ? state_dir / "vault" : secrets.vault;
}

std::filesystem::path policy::audit_file() const {
  return audit.file.empty() ? state_dir / "audit.jsonl" : audit.file;
}

} // namespace bulkhead
