#include <bulkhead/config/policy.hpp>

#include <algorithm>

namespace bulkhead {

std::optional<std::string_view> why_never_warm(host_policy const& host) noexcept {
  if (host.runtime != host_runtime::node)
    return "runs a command, which is the extension from its first line on";
  if (host.transport != host_transport::socketpair)
    return "is connected by sockets with paths, which a process has for itself";
  if (host.sandbox.file_write)
    return "writes its folders itself, which belong to one process at a time";
  return std::nullopt;
}

std::optional<std::string_view> why_never_compiled(host_policy const& host) noexcept {
  if (host.runtime != host_runtime::node)
    return "runs a command, and no scripts in Node";
  if (host.environment.contains("NODE_OPTIONS"))
    return "has NODE_OPTIONS in its environment, which can change how Node compiles";
  return std::nullopt;
}

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
