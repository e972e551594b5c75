#include <bulkhead/config/policy_change.hpp>

#include <bulkhead/config/policy_keys.hpp>
#include <bulkhead/config/quote.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

namespace bulkhead {
namespace {

namespace keys = policy_keys;
using effect = policy_change::effect;

constexpr std::string_view host_prefix = "hosts.*.";
/// What the guard and the limiter are asked about at each request.
constexpr std::array<std::string_view, 6> at_once = {
    "hosts.*.permissions",          "hosts.*.filesystem.",    "hosts.*.rate_limit.",
    "hosts.*.limits.fs_operations", "hosts.*.limits.storage", "requests"};

effect effect_of(std::string_view key) {
  auto const decides = [key](std::string_view each) { return key.starts_with(each); };
  return std::ranges::any_of(at_once, decides) ? effect::now : effect::restart;
}

void compare(keys::draft& from, keys::draft& to, bool of_host, std::string_view host,
             std::vector<policy_change>& changes) {
  for (keys::key const& row : keys::all()) {
    if (keys::is_planned(row) || row.path.starts_with(host_prefix) != of_host)
      continue;
    auto before = keys::value_of(row, from);
    auto after = keys::value_of(row, to);
    auto const* const variables = std::get_if<keys::environment>(&row.takes);
    if (before == after && (!variables || variables->of(from) == variables->of(to)))
      continue;
    auto key = of_host ? "hosts." + std::string{host} + '.' +
                             std::string{row.path.substr(host_prefix.size())}
                       : std::string{row.path};
    changes.push_back({std::move(key), std::move(before), std::move(after), effect_of(row.path)});
  }
}

} // namespace

std::vector<policy_change> policy_changes(policy const& from, policy const& to) {
  std::vector<policy_change> changes;
  keys::draft before{from, {}};
  keys::draft after{to, {}};
  compare(before, after, false, {}, changes);
  for (auto const& host : to.hosts) {
    auto const* const old = from.find_host(host.id);
    if (!old) {
      changes.push_back({"hosts." + host.id, {}, "a new host", effect::restart});
      continue;
    }
    before.host = *old;
    after.host = host;
    compare(before, after, true, host.id, changes);
  }
  for (auto const& host : from.hosts)
    if (!to.find_host(host.id))
      changes.push_back({"hosts." + host.id, "a host", {}, effect::restart});
  return changes;
}

std::string to_string(policy_change const& change) {
  auto const shown = [](std::string const& value) {
    return value.empty() ? std::string{"nothing"} : value;
  };
  return change.key + ": " + shown(change.from) + " -> " + shown(change.to) +
         (change.takes_effect == effect::now ? " (from the next request on)"
                                             : " (when the program starts again)");
}

} // namespace bulkhead
