#include <bulkhead/actors/host_group.hpp>

#include <bulkhead/actors/coroutine.hpp>

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
namespace {

using group_ptr = host_group_actor::stateful_pointer<host_group_state>;
using action = restart_group::action;

host_supervisor_actor supervisor_of(host_group_state const& state, std::string const& id) {
  auto const found =
      std::ranges::find(*state.hosts, id, [](auto const& entry) { return entry->policy.id; });
  return (*found)->supervisor;
}

void tell(restart_group& group, restart_group::member who, member_step what) {
  switch (what) {
  case member_step::waits:
    return group.waits(who);
  case member_step::running:
    return group.is_running(who);
  case member_step::failed:
    return group.failed(who);
  case member_step::crashed:
    return group.crashed(who);
  case member_step::stopped:
    return group.stopped(who);
  }
}

void carry_out(group_ptr self, restart_group::order const& order) {
  auto const& policy = *self->state.policy;
  auto const supervisor = supervisor_of(self->state, policy.hosts[order.who]);
  auto const signal = [&](host_signal::kind what, reason why) {
    auto detail = policy.hosts[order.because] + " of group " + policy.name + ": " +
                  self->state.ends[order.because];
    self->send(supervisor, signal_atom::value, host_signal{what, 0, why, 0, std::move(detail)});
  };
  switch (order.what) {
  case action::go:
    return signal(host_signal::kind::turn, reason::none);
  case action::restart:
    return signal(host_signal::kind::regroup, reason::group_restart);
  case action::stop:
    return signal(host_signal::kind::stop, reason::group_stopped);
  case action::start:
    return caf::anon_send(supervisor, start_atom::value);
  }
}

void on_step(group_ptr self, std::string const& id, member_step what, std::string const& detail) {
  auto& state = self->state;
  auto const place = std::ranges::find(state.policy->hosts, id) - state.policy->hosts.begin();
  auto const who = static_cast<restart_group::member>(place);
  if (what == member_step::failed || what == member_step::crashed)
    state.ends[who] = detail;
  tell(*state.group, who, what);
  for (auto const& order : state.group->take_orders())
    carry_out(self, order);
}

/// One after the other, the last one first.
task<void> stop_all(group_ptr self) {
  self->state.group->close();
  auto const& ids = self->state.policy->hosts;
  deadline const never;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    auto const supervisor = supervisor_of(self->state, *id);
    co_await ask<host_state>(self, supervisor, never, stop_atom::value);
  }
}

} // namespace

host_group_actor::behavior_type host_group(group_ptr self, group_policy const& policy,
                                           host_entries const& hosts) {
  self->state.policy = &policy;
  self->state.hosts = &hosts;
  self->state.group.emplace(policy.restart, policy.hosts.size());
  self->state.ends.resize(policy.hosts.size());
  return {
      [self](member_atom, std::string const& id, member_step what, std::string const& detail) {
        on_step(self, id, what, detail);
      },
      [self](stop_atom) { return run(self, stop_all(self)); },
  };
}

} // namespace bulkhead
