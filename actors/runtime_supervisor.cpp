#include <bulkhead/actors/runtime_supervisor.hpp>

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
namespace {

using runtime_ptr = runtime_actor::stateful_pointer<runtime_supervisor_state>;

spdlog::level::level_enum severity(host_event const& event) noexcept {
  if (event.kind == host_event_kind::spare_ready || event.kind == host_event_kind::code_cached)
    return spdlog::level::debug;
  if (event.kind == host_event_kind::spare_lost || event.kind == host_event_kind::code_not_cached)
    return spdlog::level::warn;
  if (event.kind == host_event_kind::activation_failed || event.to == host_state::Crashed)
    return spdlog::level::err;
  if (event.kind == host_event_kind::unresponsive ||
      (event.kind == host_event_kind::state_changed && event.to == host_state::Unhealthy))
    return spdlog::level::warn;
  return spdlog::level::info;
}

void pass_on(runtime_ptr self, host_event const& event) {
  auto const& state = self->state;
  // Parts of it are an extension's own words.
  auto const told = to_string(event).substr(event.host.size() + std::string_view{": "}.size());
  state.log->log(severity(event), "[{}] {}", event.host, platform::escape_line(told));
  state.on_event(event);
  for (auto const& subscriber : state.subscribers)
    caf::anon_send(subscriber, event_atom::value, event);
}

caf::result<host_supervisor_actor> find(runtime_ptr self, std::string const& id) {
  for (auto const& host : *self->state.hosts)
    if (host->policy.id == id)
      return host->supervisor;
  return make_error(error{errc::unknown_host}.with_host(id));
}

/// Waits until no request of ours is open, at most until the deadline.
task<void> drain(runtime_ptr self, deadline by) {
  for (auto const& host : *self->state.hosts) {
    auto const when_idle = [link = host->link](completer<void> done) {
      link->when_idle(std::move(done));
    };
    auto const idle = co_await external<void>(self, when_idle, by);
    if (!idle)
      co_return;
  }
}

bool is_in_group(runtime_supervisor_state const& state, std::string const& host) {
  return std::ranges::any_of(*state.groups, [&](group_entry const& group) {
    return std::ranges::find(group.policy.hosts, host) != group.policy.hosts.end();
  });
}

/// Those of a group in its order, which is the one in which they ask for their turns.
std::vector<host_supervisor_actor> in_start_order(runtime_supervisor_state const& state) {
  std::vector<host_supervisor_actor> ordered;
  auto const add = [&](auto const& wanted) {
    for (auto const& host : *state.hosts)
      if (host->policy.autostart && wanted(host->policy.id))
        ordered.push_back(host->supervisor);
  };
  for (auto const& group : *state.groups)
    for (auto const& id : group.policy.hosts)
      add([&](std::string const& host) { return host == id; });
  add([&](std::string const& host) { return !is_in_group(state, host); });
  return ordered;
}

task<void> shut_down(runtime_ptr self) {
  deadline const by{self->state.drain_timeout};
  auto const pool = *self->state.pool;
  auto const code = *self->state.code;
  if (pool)
    caf::anon_send(pool, stop_atom::value);
  if (code)
    caf::anon_send(code, stop_atom::value);
  co_await drain(self, by);
  // All at once: each goes on stopping while the others are waited for.
  for (auto const& group : *self->state.groups)
    caf::anon_send(group.actor, stop_atom::value);
  for (auto const& host : *self->state.hosts)
    if (!is_in_group(self->state, host->policy.id))
      caf::anon_send(host->supervisor, stop_atom::value);
  deadline const never;
  for (auto const& group : *self->state.groups)
    co_await ask<void>(self, group.actor, never, stop_atom::value);
  for (auto const& host : *self->state.hosts)
    co_await ask<host_state>(self, host->supervisor, never, stop_atom::value);
  if (pool)
    co_await ask<void>(self, pool, never, stop_atom::value);
  if (code)
    co_await ask<void>(self, code, never, stop_atom::value);
}

} // namespace

runtime_actor::behavior_type
runtime_supervisor(runtime_ptr self, host_entries const& hosts, group_entries const& groups,
                   warm_pool_actor const& pool, code_cache_actor const& code,
                   std::chrono::milliseconds drain_timeout, std::shared_ptr<spdlog::logger> log,
                   std::function<void(host_event const&)> on_event) {
  self->state.hosts = &hosts;
  self->state.groups = &groups;
  self->state.pool = &pool;
  self->state.code = &code;
  self->state.drain_timeout = drain_timeout;
  self->state.log = std::move(log);
  self->state.on_event = std::move(on_event);
  self->set_down_handler([self](caf::down_msg const& down) {
    std::erase_if(self->state.subscribers,
                  [&](caf::actor const& one) { return one.address() == down.source; });
  });
  return {
      [self](start_atom) {
        for (auto const& supervisor : in_start_order(self->state))
          caf::anon_send(supervisor, start_atom::value);
        if (*self->state.pool)
          caf::anon_send(*self->state.pool, start_atom::value);
      },
      [self](find_atom, std::string const& id) { return find(self, id); },
      [self](list_atom) {
        std::vector<std::string> ids;
        for (auto const& host : *self->state.hosts)
          ids.push_back(host->policy.id);
        return ids;
      },
      [self](subscribe_atom, caf::actor const& subscriber) {
        self->monitor(subscriber);
        self->state.subscribers.push_back(subscriber);
      },
      [self](event_atom, host_event const& event) { pass_on(self, event); },
      [self](shutdown_atom) { return run(self, shut_down(self)); },
  };
}

} // namespace bulkhead
