#include <bulkhead/actors/host_supervisor.hpp>

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/health_watch.hpp>
#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/host_start.hpp>
#include <bulkhead/config/units.hpp>
#include <bulkhead/platform/thread_activity.hpp>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <csignal>
#include <random>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace bulkhead {
namespace {

using namespace std::chrono_literals;
using clock = deadline::clock;
using supervisor_ptr = host_supervisor_actor::stateful_pointer<host_supervisor_state>;
using signal_kind = host_signal::kind;

/// Between a closed connection and the end of the process that closed it: the kernel does both
/// within a millisecond, a busy machine takes a little longer.
constexpr auto exit_grace = 1s;
/// Of a host that is silent, how many open requests are named.
constexpr std::size_t named_requests = 3;
/// A process that SIGKILL has not ended by then is stuck in the kernel, and nothing that we do will
/// end it.
constexpr auto kill_grace = 5s;

/// How the life of one process ended. It has a constructor because g++ 12 destroys aggregates in a
/// co_await twice (see task).
struct process_end {
  process_end(reason cause, std::string what, std::int32_t code = 0)
      : why{cause}
      , detail{std::move(what)}
      , exit_code{code} {}

  reason why;
  std::string detail;
  std::int32_t exit_code; // with reason::exit_code
  bool started = true;    // false: there never was a process
};

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

// ---- the state machine ------------------------------------------------------------------------

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

void answer(std::vector<caf::typed_response_promise<host_state>>& waiting, host_state state) {
  for (auto& promise : std::exchange(waiting, {}))
    promise.deliver(state);
}

void refuse(std::vector<caf::typed_response_promise<host_state>>& waiting, error const& why) {
  for (auto& promise : std::exchange(waiting, {}))
    promise.deliver(make_error(why));
}

void enter(supervisor_ptr self, host_state to, reason why, std::string detail = {}) {
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
      now.start.ready =
          std::chrono::duration_cast<start_times::duration>(clock::now() - state.process->began());
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

// ---- what happens to a process ----------------------------------------------------------------

void deliver(supervisor_ptr self, host_signal signal) {
  auto& state = self->state;
  state.signals.push_back(std::move(signal));
  if (state.waker) {
    auto wake = std::move(*state.waker);
    state.waker.reset();
    wake();
  }
}

/// The next signal about the present process; nothing if none is there.
std::optional<host_signal> take_signal(host_supervisor_state& state) {
  while (!state.signals.empty()) {
    auto next = std::move(state.signals.front());
    state.signals.pop_front();
    if (next.what == signal_kind::stop || next.generation == state.generation)
      return next;
  }
  return std::nullopt;
}

/// The next thing that happens, or nothing once `by` has passed.
task<std::optional<host_signal>> next_signal(supervisor_ptr self, deadline by) {
  auto& state = self->state;
  for (;;) {
    if (auto next = take_signal(state))
      co_return next;
    auto const woken = co_await external<void>(
        self, [self](completer<void> waker) { self->state.waker.emplace(std::move(waker)); }, by);
    if (!woken && state.signals.empty()) {
      state.waker.reset();
      co_return std::nullopt;
    }
  }
}

/// Waits for the process to end. False: it has not by then.
task<bool> wait_for_exit(supervisor_ptr self, deadline by) {
  for (;;) {
    auto const signal = co_await next_signal(self, by);
    if (!signal)
      co_return false;
    if (signal->what == signal_kind::exited)
      co_return true;
  }
}

/// Sends a signal to this actor from outside of it, for as long as it lives.
auto signal_sender(supervisor_ptr self) {
  return [weak = caf::actor_cast<caf::weak_actor_ptr>(self->address())](host_signal signal) {
    if (auto const strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<host_supervisor_actor>(strong), signal_atom::value,
                     std::move(signal));
  };
}

/// Looks up what the start needs, off the loop's thread: it reads files.
task<result<host_start>> prepare(supervisor_ptr self) {
  auto const began = clock::now();
  auto& runtime = self->state.around->runtime;
  auto const& host = self->state.around->policy;
  auto look_up = [policy = host,
                  with = start_surroundings{
                      folders_of(runtime.rules, host, runtime.place.path()), runtime.bootstrap,
                      runtime.rules.file.empty() ? runtime.rules.state_dir.parent_path()
                                                 : runtime.rules.file.parent_path(),
                      runtime.containment}] { return prepare_host_start(policy, with); };
  auto start = co_await blocking(self, runtime.on.blocking_pool(), look_up);
  if (!start)
    co_return to_error(start.error());
  if (*start)
    (*start)->began = began;
  co_return std::move(*start);
}

audit_record record_of_start(std::string const& host, host_start const& start) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = host;
  made.what = "host.started";
  made.object = start.extension_id;
  made.rule = to_string(start.held);
  return made;
}

/// Creates and connects the process. What goes wrong later comes as a signal.
result<void> launch(supervisor_ptr self, host_start start) {
  auto& state = self->state;
  auto const& around = *state.around;
  if (!start.refused.empty())
    log_of(self).warn("[{}] asks for more than the policy grants: {}", around.policy.id,
                      to_string(start.refused));
  auto const asked = start.asked.to_bits();
  auto const made = record_of_start(around.policy.id, start);
  auto created =
      host_process::create(around, std::move(start), ++state.generation, signal_sender(self));
  if (!created)
    return created.error();
  state.process = std::move(*created);
  auto const& servants = around.servants;
  self->send(servants.monitor, watch_atom::value, state.process->watched());
  self->send(servants.guard, grant_atom::value, around.policy.id, asked);
  self->send(servants.audit, record_atom::value, audit_records{made});
  state.process->connect();
  return {};
}

task<void> deactivate(supervisor_ptr self) {
  auto const by = deadline{self->state.around->policy.stop.deactivate_timeout};
  if (!self->state.process->deactivate(by))
    co_return;
  for (;;) {
    auto const signal = co_await next_signal(self, by);
    if (!signal || signal->what == signal_kind::deactivated)
      co_return;
    if (signal->what == signal_kind::exited) {
      self->state.signals.push_front(*signal); // for whoever waits for the exit
      co_return;
    }
  }
}

void on_activated(supervisor_ptr self, host_signal const& signal) {
  auto const ok = signal.code == 0;
  auto const state = record_of(self).state();
  publish(self, ok ? host_event_kind::activated : host_event_kind::activation_failed, state, state,
          reason::none, signal.detail);
}

// ---- the life of a host -----------------------------------------------------------------------

void cut_off(supervisor_ptr self, reason why, std::string const& detail) {
  auto const& around = *self->state.around;
  self->state.process->disconnect();
  link_of(self).detach(why, detail);
  self->send(around.servants.files, revoke_atom::value, around.policy.id);
  self->send(around.servants.secrets, revoke_atom::value, around.policy.id);
}

/// SIGKILL for the whole tree, then waits for its end.
task<void> kill_process(supervisor_ptr self) {
  self->state.process->kill_tree();
  auto const by = deadline{kill_grace};
  auto const ended = co_await wait_for_exit(self, by);
  if (!ended)
    log_of(self).critical("[{}] process {} does not end after SIGKILL",
                          self->state.around->policy.id, self->state.process->pid());
}

/// Ends a process that was asked to stop: deactivate, close, SIGTERM, SIGKILL.
task<void> stop_process(supervisor_ptr self, bool was_running) {
  if (was_running)
    co_await deactivate(self);
  cut_off(self, reason::requested, "it was stopped");
  self->state.process->signal(SIGTERM);
  auto const by = deadline{self->state.around->policy.stop.term_timeout};
  auto const ended = co_await wait_for_exit(self, by);
  if (!ended)
    co_await kill_process(self);
}

/// Ends a process that went wrong. If it ends by itself meanwhile, that changes nothing.
task<process_end> end_process(supervisor_ptr self, process_end end) {
  cut_off(self, end.why, end.detail);
  if (!self->state.stop_requested)
    enter(self, host_state::Unhealthy, end.why, end.detail);
  co_await kill_process(self);
  co_return end;
}

/// The process has ended by itself. One whose program never ran was never unhealthy.
process_end end_by_exit(supervisor_ptr self, host_signal const& exited) {
  process_end end{exited.why, exited.detail, exited.code};
  end.started = exited.why != reason::sandbox_failure;
  cut_off(self, end.why, end.detail);
  if (end.started && !self->state.stop_requested)
    enter(self, host_state::Unhealthy, end.why, end.detail);
  return end;
}

/// The connection is closed: mostly because the process has ended, whose exit then says more.
task<process_end> end_after_close(supervisor_ptr self) {
  auto const by = deadline{exit_grace};
  for (;;) {
    auto const signal = co_await next_signal(self, by);
    if (!signal)
      break;
    if (signal->what != signal_kind::exited)
      continue;
    co_return end_by_exit(self, *signal);
  }
  co_return co_await end_process(
      self, {reason::connection_closed, std::string{describe(reason::connection_closed).sentence}});
}

// ---- whether it still answers -----------------------------------------------------------------

/// What a silent host does, from outside: nothing is asked of it.
struct silent_look {
  clock::time_point when;
  std::optional<platform::thread_activity> thread;
};

std::string age_text(clock::duration age) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>{age}.count());
}

std::string describe_silence(supervisor_ptr self, std::chrono::milliseconds silence,
                             silent_look const& now, silent_look const& before) {
  auto text = "no answer for " + units::time_text(silence);
  if (now.thread && before.thread)
    text += "; " +
            describe(*now.thread, *before.thread,
                     std::chrono::duration_cast<std::chrono::microseconds>(now.when - before.when));
  auto const open = link_of(self).oldest_calls(named_requests);
  for (auto const& call : open)
    text += fmt::format("{} {} for {}", &call == &open.front() ? "; open:" : ",", call.type,
                        age_text(now.when - call.since));
  return text;
}

/// A request that is open for longer than the policy allows, told as the end that it causes.
std::optional<process_end> find_overdue(supervisor_ptr self, clock::time_point now) {
  auto const most = self->state.around->policy.limits.request_time;
  if (most.count() == 0)
    return std::nullopt;
  auto const oldest = link_of(self).oldest_calls(1);
  if (oldest.empty() || now - oldest.front().since <= most)
    return std::nullopt;
  return process_end{reason::hung,
                     fmt::format("{} has been open for {}, longer than limits.request_time, {}",
                                 oldest.front().type, age_text(now - oldest.front().since),
                                 units::time_text(most))};
}

/// Does what the watch asks for; `last` keeps what was seen when the silence was told. How the
/// process is to be ended, if it is.
std::optional<process_end> check_health(supervisor_ptr self, health_watch& health,
                                        silent_look& last) {
  auto const& rules = self->state.around->policy.health;
  auto const now = clock::now();
  auto const look = [&] { return silent_look{now, platform::main_thread_of(pid_of(self->state))}; };
  switch (health.step_at(now)) {
  case health_watch::step::ask:
    self->state.process->ping();
    return find_overdue(self, now);
  case health_watch::step::tell: {
    last = look();
    auto const detail = describe_silence(self, rules.unresponsive_after, last, last);
    record_of(self).update([&](host_status& status) {
      status.unresponsive_since = std::chrono::system_clock::now() - rules.unresponsive_after;
    });
    publish(self, host_event_kind::unresponsive, host_state::Running, host_state::Running,
            reason::none, detail);
    return std::nullopt;
  }
  case health_watch::step::give_up:
    return process_end{reason::hung, describe_silence(self, rules.kill_after, look(), last)};
  }
  return std::nullopt;
}

void on_answer(supervisor_ptr self, health_watch& health) {
  auto const now = clock::now();
  auto const silence = health.silence(now);
  if (!health.answered(now))
    return;
  record_of(self).update([](host_status& status) { status.unresponsive_since = {}; });
  publish(self, host_event_kind::responsive, host_state::Running, host_state::Running, reason::none,
          "it answered after " + age_text(silence));
}

/// From spawn to the end of the process, however it comes.
task<process_end> run_process(supervisor_ptr self) {
  auto& state = self->state;
  auto start = co_await prepare(self);
  auto launched = result<void>{};
  if (start)
    launched = launch(self, std::move(*start));
  else
    launched = start.error();
  if (!launched) {
    process_end never_started{reason_of_failed_start(launched.error().code()),
                              launched.error().what()};
    never_started.started = false;
    co_return never_started;
  }
  record_of(self).update([&](host_status& now) { now.pid = pid_of(state); });
  auto const start_by = deadline{state.around->policy.start_timeout};
  std::optional<health_watch> health; // once it is Running
  silent_look last_look{};
  for (;;) {
    auto const by = health ? deadline{health->due()} : start_by;
    auto const signal = co_await next_signal(self, by);
    if (!signal && !health)
      co_return co_await end_process(
          self, {reason::start_timeout,
                 fmt::format("no extension-host-ready within {}",
                             units::time_text(state.around->policy.start_timeout))});
    if (!signal) {
      auto const hung = check_health(self, *health, last_look);
      if (!hung)
        continue;
      co_return co_await end_process(self, *hung);
    }
    switch (signal->what) {
    case signal_kind::ready:
      if (state.stop_requested)
        break;
      health.emplace(state.around->policy.health, clock::now());
      state.budget->on_running(clock::now());
      enter(self, host_state::Running, reason::ready, signal->detail);
      self->send(state.around->connection, open_atom::value);
      state.process->activate();
      break;
    case signal_kind::exited:
      co_return end_by_exit(self, *signal);
    case signal_kind::launched:
      record_of(self).update([&](host_status& now) { now.pid = pid_of(state); });
      break;
    case signal_kind::end_of_stream:
      co_return co_await end_after_close(self);
    case signal_kind::violation:
    case signal_kind::exceeded:
    case signal_kind::connect_failed:
      co_return co_await end_process(self, {signal->why, signal->detail});
    case signal_kind::stop:
      co_await stop_process(self, health.has_value());
      co_return process_end{reason::requested, {}};
    case signal_kind::activated:
      on_activated(self, *signal);
      break;
    case signal_kind::answered:
      if (health)
        on_answer(self, *health);
      break;
    case signal_kind::deactivated:
      break;
    }
  }
}

/// Waits out the backoff. False: somebody asked for the end meanwhile.
task<bool> back_off(supervisor_ptr self, std::chrono::milliseconds wait) {
  auto const by = deadline{wait};
  while (!self->state.stop_requested) {
    auto const signal = co_await next_signal(self, by);
    if (!signal)
      co_return true;
  }
  co_return false;
}

/// Whether a host that ended so may be started again, and after how long.
std::optional<std::chrono::milliseconds> decide_restart(supervisor_ptr self, process_end& end) {
  auto const& rules = self->state.around->policy.restart;
  if (!end.started || !allows_restart(end.why))
    return std::nullopt;
  if (end.why == reason::exit_code && std::ranges::find(rules.never_on_exit_codes, end.exit_code) !=
                                          rules.never_on_exit_codes.end()) {
    end.detail += ", which the policy does not restart";
    return std::nullopt;
  }
  auto const wait = self->state.budget->on_failure(clock::now());
  if (!wait) {
    end.detail = fmt::format("restart budget spent: {} restarts in {}; the last end: {}",
                             rules.max_restarts, units::time_text(rules.window), end.detail);
    end.why = reason::restart_budget_spent;
  }
  return wait;
}

/// From Starting until the host is Stopped or Crashed.
task<void> live(supervisor_ptr self) {
  auto& state = self->state;
  for (;;) {
    auto end = co_await run_process(self);
    state.process.reset();
    self->send(state.around->servants.monitor, revoke_atom::value, state.around->policy.id);
    if (state.stop_requested)
      co_return enter(self, host_state::Stopped, reason::requested);
    auto const wait = decide_restart(self, end);
    if (!wait)
      co_return enter(self, host_state::Crashed, end.why, end.detail);
    enter(self, host_state::Restarting, end.why,
          fmt::format("restart {} in {} after: {}", state.budget->granted(),
                      units::time_text(*wait), end.detail));
    auto const elapsed = co_await back_off(self, *wait);
    if (!elapsed)
      co_return enter(self, host_state::Stopped, reason::requested);
    enter(self, host_state::Starting, reason::backoff);
  }
}

// ---- what is asked of it ----------------------------------------------------------------------

caf::result<host_state> start_host(supervisor_ptr self) {
  auto& state = self->state;
  switch (record_of(self).state()) {
  case host_state::Running:
    return host_state::Running;
  case host_state::Stopping:
    return make_error(
        error{errc::host_not_running, "the host is being stopped", "start it once it is Stopped"}
            .with_host(state.around->policy.id));
  case host_state::Stopped:
  case host_state::Crashed:
    state.stop_requested = false;
    state.signals.clear();
    state.budget->reset();
    break;
  default:
    return state.starters.emplace_back(self->make_response_promise<host_state>());
  }
  auto const promise = state.starters.emplace_back(self->make_response_promise<host_state>());
  enter(self, host_state::Starting, reason::requested);
  start(self, live(self));
  return promise;
}

caf::result<host_state> stop_host(supervisor_ptr self) {
  auto& state = self->state;
  switch (record_of(self).state()) {
  case host_state::Stopped:
    return host_state::Stopped;
  case host_state::Crashed:
    enter(self, host_state::Stopping, reason::requested);
    enter(self, host_state::Stopped, reason::requested);
    return host_state::Stopped;
  case host_state::Stopping:
    break;
  default:
    state.stop_requested = true;
    enter(self, host_state::Stopping, reason::requested);
    self->send(state.around->connection, refuse_atom::value, reason::requested,
               std::string{"it was stopped"});
    deliver(self, {signal_kind::stop, 0, reason::requested, 0, {}});
  }
  return state.stoppers.emplace_back(self->make_response_promise<host_state>());
}

} // namespace

host_supervisor_actor::behavior_type host_supervisor(supervisor_ptr self,
                                                     supervisor_surroundings around) {
  self->state.around.emplace(std::move(around));
  self->state.budget.emplace(self->state.around->policy.restart, std::random_device{}());
  self->state.around->link->set_supervisor(signal_sender(self));
  return {
      [self](start_atom) { return start_host(self); },
      [self](stop_atom) { return stop_host(self); },
      [self](status_atom) { return record_of(self).snapshot(); },
      [self](signal_atom, host_signal& signal) { deliver(self, std::move(signal)); },
  };
}

} // namespace bulkhead
