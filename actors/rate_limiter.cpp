#include <bulkhead/actors/rate_limiter.hpp>

#include <algorithm>
#include <chrono>

namespace bulkhead {
namespace {

using limiter_ptr = rate_limiter_actor::stateful_pointer<rate_limiter_state>;

/// Null for a host that no rule is about: the guard denies all that it asks for.
host_rate_limits* limits_of(rate_limiter_state& state, std::string const& host) {
  if (auto const known = state.hosts.find(host); known != state.hosts.end())
    return &known->second;
  auto const access = state.rules->find(host);
  return access ? &state.hosts.try_emplace(host, access->rate_limit).first->second : nullptr;
}

void limit(rate_limiter_state& state, inbound_batch& batch) {
  auto* const limits = limits_of(state, batch.host());
  if (!limits)
    return;
  auto const now = rate_limit::clock::now();
  for (std::size_t i = 0; i < batch.size(); ++i)
    if (auto const wait = limits->take(batch.type(i), now); wait.count() > 0)
      batch.limit(i, static_cast<std::uint32_t>(
                         std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
}

/// Limits that are as they were stay used up as far as they are.
void change_rules(rate_limiter_state& state, access_rules_ptr rules) {
  state.rules = std::move(rules);
  std::erase_if(state.hosts, [&](auto const& entry) {
    auto const access = state.rules->find(entry.first);
    return !access || access->rate_limit != entry.second.allowed();
  });
}

} // namespace

host_rate_limits::host_rate_limits(rate_limit_policy const& allowed)
    : allowed_{allowed}
    , all_{allowed.requests_per_second, allowed.burst} {
  for (auto const& [type, per_second] : allowed.per_type)
    per_type_.try_emplace(type, per_second, per_second);
}

rate_limit::duration host_rate_limits::take(std::string_view type,
                                            rate_limit::clock::time_point now) {
  auto wait = all_.wait(now);
  auto const own = per_type_.empty() ? per_type_.end() : per_type_.find(type);
  if (own != per_type_.end())
    wait = std::max(wait, own->second.wait(now));
  if (wait.count() > 0)
    return wait;
  all_.pass(now);
  if (own != per_type_.end())
    own->second.pass(now);
  return wait;
}

rate_limiter_actor::behavior_type
rate_limiter(limiter_ptr self, permission_guard_actor const& guard, access_rules_ptr rules) {
  self->state.guard = guard;
  self->state.rules = std::move(rules);
  return {
      [self](rules_atom, access_rules_ptr& changed) {
        change_rules(self->state, std::move(changed));
      },
      [self](revoke_atom, std::string const& host) { self->state.hosts.erase(host); },
      [self](admit_atom, inbound_batch_ptr& batch, ipc_connection_actor const& connection) {
        limit(self->state, *batch);
        self->send(self->state.guard, admit_atom::value, std::move(batch), connection);
      },
  };
}

} // namespace bulkhead
