#include <bulkhead/actors/host_transitions.hpp>

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <caf/send.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace bulkhead {
namespace {

void answer(std::vector<caf::typed_response_promise<host_state>>& waiting, host_state state) {
  for (auto& promise : std::exchange(waiting, {}))
    promise.deliver(state);
}

void refuse(std::vector<caf::typed_response_promise<host_state>>& waiting, error const& why) {
  for (auto& promise : std::exchange(waiting, {}))
    promise.deliver(make_error(why));
}

/// What the group hears of a transition; nothing of those that the group itself has ordered.
std::optional<member_step> step_of(host_state to, reason why) noexcept {
  switch (to) {
  case host_state::Running:
    return member_step::running;
  case host_state::Restarting:
    return why == reason::group_restart ? std::nullopt : std::optional{member_step::failed};
  case host_state::Crashed:
    return member_step::crashed;
  case host_state::Stopped:
    return why == reason::group_stopped ? std::nullopt : std::optional{member_step::stopped};
  default:
    return std::nullopt;
  }
}

} // namespace

host_record& record_of(supervisor_ptr self) {
  return *self->state.around->record;
}
host_link& link_of(supervisor_ptr self) {
  return *self->state.around->link;
}
spdlog::logger& log_of(supervisor_ptr self) {
  return *self->state.around->runtime.log;
}

/// 0 without a process.
pid_t pid_of(host_supervisor_state const& state) {
  return state.process ? state.process->pid() : 0;
}

void publish(supervisor_ptr self, host_event_kind kind, host_state from, host_state to, reason why,
             std::string detail) {
  host_event event;
  event.kind = kind;
  event.from = from;
  event.to = to;
  event.why = why;
  event.detail = std::move(detail);
  event.host = self->state.around->policy.id;
  event.pid = pid_of(self->state);
  event.restarts = self->state.budget->granted();
  event.when = std::chrono::system_clock::now();
  if (to == host_state::Running) {
    auto const now = record_of(self).snapshot();
    event.sandbox = now.sandbox;
    event.start = now.start;
  }
  self->send(self->state.around->events, event_atom::value, std::move(event));
}

void enter(supervisor_ptr self, host_state to, reason why, std::string detail) {
  auto& state = self->state;
  auto const from = record_of(self).state();
  if (!is_legal_transition(from, to)) {
    log_of(self).error("[{}] refused the transition from {} to {} ({})", state.around->policy.id,
                       to_string(from), to_string(to), to_string(why));
    return;
  }
  record_of(self).update([&](host_status& now) {
    now.state = to;
    now.why = why;
    now.detail = detail;
    now.pid = pid_of(state);
    now.restarts = state.budget->granted();
    if (to == host_state::Running) {
      now.running_since = std::chrono::system_clock::now();
      now.sandbox = state.process->report();
      now.start = state.process->times();
      if (auto const heard = link_of(self).first_heard(); heard && !now.start.warm)
        now.start.loaded =
            std::chrono::duration_cast<start_times::duration>(*heard - state.process->began());
      now.start.ready = time_since(state.process->began());
    } else if (from == host_state::Running) {
      now.running_since = {};
    }
    if (to != host_state::Running)
      now.unresponsive_since = {};
    if (to == host_state::Unhealthy || to == host_state::Crashed) {
      now.last_end = why;
      now.last_end_detail = detail;
    }
    if (to == host_state::Starting)
      now.commands.clear();
  });
  publish(self, host_event_kind::state_changed, from, to, why, detail);
  if (auto const step = step_of(to, why))
    tell_group(self, *step, record_of(self).snapshot().last_end_detail);
  if (to == host_state::Stopped || to == host_state::Crashed) {
    self->send(state.around->connection, refuse_atom::value, why, detail);
    auto const& servants = state.around->servants;
    self->send(servants.limiter, revoke_atom::value, state.around->policy.id);
    self->send(servants.guard, revoke_atom::value, state.around->policy.id);
    refuse(state.starters, error{errc::host_not_running, detail}
                               .with_host(state.around->policy.id)
                               .with_host_reason(why));
  }
  if (to == host_state::Running)
    answer(state.starters, to);
  if (to == host_state::Stopped)
    answer(state.stoppers, to);
}

void tell_group(supervisor_ptr self, member_step what, std::string detail) {
  auto const& around = *self->state.around;
  if (around.group)
    self->send(around.group, member_atom::value, around.policy.id, what, std::move(detail));
}

} // namespace bulkhead
