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
constexpr std::string_view group_prefix = "groups.*.";
/// What the guard and the limiter are asked about at each request.
constexpr std::array<std::string_view, 6> at_once = {
    "hosts.*.permissions",          "hosts.*.filesystem.",    "hosts.*.rate_limit.",
    "hosts.*.limits.fs_operations", "hosts.*.limits.storage", "requests"};

effect effect_of(std::string_view key) {
  auto const decides = [key](std::string_view each) { return key.starts_with(each); };
  return std::ranges::any_of(at_once, decides) ? effect::now : effect::restart;
}

/// "hosts.*." of a key of any host, "groups.*." of one of any group, nothing of the file's.
std::string_view prefix_of(std::string_view key) {
  for (auto const prefix : {host_prefix, group_prefix})
    if (key.starts_with(prefix))
      return prefix;
  return {};
}

/// The keys with that prefix; `name` is that of the host or group.
void compare(keys::draft& from, keys::draft& to, std::string_view prefix, std::string_view name,
             std::vector<policy_change>& changes) {
  for (keys::key const& row : keys::all()) {
    if (keys::is_planned(row) || prefix_of(row.path) != prefix)
      continue;
    auto before = keys::value_of(row, from);
    auto after = keys::value_of(row, to);
    auto const* const variables = std::get_if<keys::environment>(&row.takes);
    if (before == after && (!variables || variables->of(from) == variables->of(to)))
      continue;
    std::string key{row.path};
    if (auto const star = key.find('*'); star != key.npos)
      key.replace(star, 1, name);
    changes.push_back({std::move(key), std::move(before), std::move(after), effect_of(row.path)});
  }
}

group_policy const* find_group(policy const& in, std::string_view name) {
  auto const found = std::ranges::find(in.groups, name, &group_policy::name);
  return found != in.groups.end() ? &*found : nullptr;
}

void compare_groups(policy const& from, policy const& to, std::vector<policy_change>& changes) {
  keys::draft before;
  keys::draft after;
  for (auto const& group : to.groups) {
    auto const* const old = find_group(from, group.name);
    if (!old) {
      changes.push_back({"groups." + group.name, {}, "a new group", effect::restart});
      continue;
    }
    before.group = *old;
    after.group = group;
    compare(before, after, group_prefix, group.name, changes);
  }
  for (auto const& group : from.groups)
    if (!find_group(to, group.name))
      changes.push_back({"groups." + group.name, "a group", {}, effect::restart});
}

} // namespace

std::vector<policy_change> policy_changes(policy const& from, policy const& to) {
  std::vector<policy_change> changes;
  keys::draft before{from, {}, {}};
  keys::draft after{to, {}, {}};
  compare(before, after, {}, {}, changes);
  for (auto const& host : to.hosts) {
    auto const* const old = from.find_host(host.id);
    if (!old) {
      changes.push_back({"hosts." + host.id, {}, "a new host", effect::restart});
      continue;
    }
    before.host = *old;
    after.host = host;
    compare(before, after, host_prefix, host.id, changes);
  }
  for (auto const& host : from.hosts)
    if (!to.find_host(host.id))
      changes.push_back({"hosts." + host.id, "a host", {}, effect::restart});
  compare_groups(from, to, changes);
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
