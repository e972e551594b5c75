#include <bulkhead/actors/host_supervisor.hpp>

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/health_watch.hpp>
#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/host_launch.hpp>
#include <bulkhead/actors/host_silence.hpp>
#include <bulkhead/actors/host_transitions.hpp>
#include <bulkhead/actors/script_report.hpp>
#include <bulkhead/config/units.hpp>

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
using signal_kind = host_signal::kind;

/// Between a closed connection and the end of the process that closed it: the kernel does both
/// within a millisecond, a busy machine takes a little longer.
constexpr auto exit_grace = 1s;
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
  bool may_pass = false;  // and the system lacked something that it may have again
};

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

/// Whether it is about the host, and not about one process of it.
bool is_of_host(host_signal const& signal) noexcept {
  return signal.what == signal_kind::stop || signal.what == signal_kind::turn ||
         signal.what == signal_kind::regroup;
}

/// The next signal about the host or its present process; nothing if none is there.
std::optional<host_signal> take_signal(host_supervisor_state& state) {
  while (!state.signals.empty()) {
    auto next = std::move(state.signals.front());
    state.signals.pop_front();
    if (is_of_host(next) || next.generation == state.generation)
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

/// `from a ready process, in 1.9 ms: …`, or `in 85.0 ms: …`.
std::string start_text(start_times const& times) {
  return (times.warm ? "from a ready process, in " : "in ") + to_string(phases_of(times));
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

/// Has the scripts compiled that were not. How many were, as the host says.
std::uint32_t on_scripts(supervisor_ptr self, std::string const& answer) {
  auto const& around = *self->state.around;
  if (!around.code)
    return 0;
  auto report = read_script_report(answer);
  self->send(around.code, loaded_atom::value, around.policy.id, std::move(report.loaded));
  return report.used;
}

void on_activated(supervisor_ptr self, host_signal const& signal) {
  auto const ok = signal.code == 0;
  auto const state = record_of(self).state();
  auto detail = signal.detail;
  if (ok) {
    auto const scripts = on_scripts(self, signal.detail);
    record_of(self).update([&](host_status& now) {
      now.start.activated = time_since(self->state.process->began());
      now.code_cached = scripts;
      detail = start_text(now.start);
    });
  }
  publish(self, ok ? host_event_kind::activated : host_event_kind::activation_failed, state, state,
          reason::none, detail);
  settle(self);
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

/// Ends a process that did nothing wrong: deactivate, close, SIGTERM, SIGKILL.
task<process_end> stop_process(supervisor_ptr self, process_end end, bool was_running) {
  if (was_running)
    co_await deactivate(self);
  cut_off(self, end.why, end.detail);
  self->state.process->signal(SIGTERM);
  auto const by = deadline{self->state.around->policy.stop.term_timeout};
  auto const ended = co_await wait_for_exit(self, by);
  if (!ended)
    co_await kill_process(self);
  co_return end;
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

/// The program has ended, and its sandbox ends what it has started.
task<process_end> end_after_program(supervisor_ptr self, host_signal ended) {
  auto const end = end_by_exit(self, ended);
  auto const by = deadline{exit_grace};
  auto const is_gone = co_await wait_for_exit(self, by);
  if (!is_gone)
    co_await kill_process(self);
  co_return end;
}

/// The connection is closed: mostly because the process has ended, whose exit then says more.
task<process_end> end_after_close(supervisor_ptr self) {
  auto const by = deadline{exit_grace};
  for (;;) {
    auto const signal = co_await next_signal(self, by);
    if (!signal)
      break;
    if (signal->what == signal_kind::exited)
      co_return end_by_exit(self, *signal);
    if (auto const ended = self->state.process->program_end()) {
      auto ending = end_after_program(self, *ended);
      co_return co_await std::move(ending);
    }
  }
  co_return co_await end_process(
      self, {reason::connection_closed, std::string{describe(reason::connection_closed).sentence}});
}

// ---- whether it still answers -----------------------------------------------------------------

/// Does what the watch asks for; `last` keeps what was seen when the silence was told. How the
/// process is to be ended, if it is.
std::optional<process_end> check_health(supervisor_ptr self, health_watch& health,
                                        silent_look& last) {
  auto const& policy = self->state.around->policy;
  switch (health.step_at(clock::now())) {
  case health_watch::step::ask: {
    self->state.process->ping();
    auto overdue = describe_overdue(policy.limits.request_time, link_of(self));
    return overdue ? std::optional{process_end{reason::hung, std::move(*overdue)}} : std::nullopt;
  }
  case health_watch::step::tell: {
    auto const silence = policy.health.unresponsive_after;
    last = look_at(pid_of(self->state));
    record_of(self).update([&](host_status& status) {
      status.unresponsive_since = std::chrono::system_clock::now() - silence;
    });
    publish(self, host_event_kind::unresponsive, host_state::Running, host_state::Running,
            reason::none, describe_silence(silence, last, last, link_of(self)));
    return std::nullopt;
  }
  case health_watch::step::give_up:
    return process_end{reason::hung,
                       describe_silence(policy.health.kill_after, look_at(pid_of(self->state)),
                                        last, link_of(self))};
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
  auto launching = launch(self, signal_sender(self));
  auto const failed = co_await std::move(launching);
  if (failed) {
    process_end never_started{reason_of_failed_start(failed->why.code()), failed->why.what()};
    never_started.started = false;
    never_started.may_pass = failed->may_pass;
    if (never_started.may_pass && !state.stop_requested)
      enter(self, host_state::Unhealthy, never_started.why, never_started.detail);
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
      if (!state.process->activate())
        settle(self);
      break;
    case signal_kind::exited:
      co_return end_by_exit(self, *signal);
    case signal_kind::launched:
      record_of(self).update([&](host_status& now) { now.pid = pid_of(state); });
      if (auto const ended = state.process->program_end()) {
        auto ending = end_after_program(self, *ended);
        co_return co_await std::move(ending);
      }
      break;
    case signal_kind::end_of_stream:
      co_return co_await end_after_close(self);
    case signal_kind::violation:
    case signal_kind::exceeded:
    case signal_kind::connect_failed:
      co_return co_await end_process(self, {signal->why, signal->detail});
    case signal_kind::stop:
      co_return co_await stop_process(self, {signal->why, signal->detail}, health.has_value());
    case signal_kind::regroup:
      if (state.stop_requested)
        break;
      enter(self, host_state::Unhealthy, signal->why, signal->detail);
      co_return co_await stop_process(self, {signal->why, signal->detail}, health.has_value());
    case signal_kind::activated:
      on_activated(self, *signal);
      break;
    case signal_kind::answered:
      if (health)
        on_answer(self, *health);
      break;
    case signal_kind::deactivated:
    case signal_kind::turn:
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

/// Waits for its turn to start in its group. False: somebody asked for the end meanwhile.
task<bool> take_turn(supervisor_ptr self) {
  if (!self->state.around->group)
    co_return true;
  tell_group(self, member_step::waits);
  deadline const never;
  while (!self->state.stop_requested) {
    auto const signal = co_await next_signal(self, never);
    if (signal && signal->what == signal_kind::turn)
      co_return true;
  }
  co_return false;
}

/// At most so many bytes of a text, cut between two characters.
std::string cut(std::string const& text, std::size_t most) {
  if (text.size() <= most)
    return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  return text.substr(0, most);
}

/// What the host printed last, as a part of a sentence; empty where it printed nothing.
std::string last_words(supervisor_ptr self) {
  constexpr std::size_t lines = 3;
  constexpr std::size_t longest = 200; // bytes of each; all of them are in host_status::last_lines
  auto const printed = record_of(self).snapshot().last_lines;
  std::string text;
  for (auto i = printed.size() - std::min(lines, printed.size()); i < printed.size(); ++i)
    text += (text.empty() ? "; its last words: " : " | ") + cut(printed[i], longest);
  return text;
}

/// Whether a host that ended so may be started again, and after how long.
std::optional<std::chrono::milliseconds> decide_restart(supervisor_ptr self, process_end& end) {
  auto const& rules = self->state.around->policy.restart;
  if (end.why == reason::group_restart)
    return std::chrono::milliseconds{0}; // the one that failed spends its budget
  if (!end.may_pass && (!end.started || !allows_restart(end.why)))
    return std::nullopt;
  if (end.why == reason::exit_code && std::ranges::find(rules.never_on_exit_codes, end.exit_code) !=
                                          rules.never_on_exit_codes.end()) {
    end.detail += ", which the policy does not restart";
    return std::nullopt;
  }
  auto const wait = self->state.budget->on_failure(clock::now());
  if (!wait) {
    end.detail =
        fmt::format("restart budget spent: {} restarts in {}; the last end: {}", rules.max_restarts,
                    units::time_text(rules.window), end.detail + last_words(self));
    end.why = reason::restart_budget_spent;
  }
  return wait;
}

std::string describe_restart(supervisor_ptr self, process_end const& end,
                             std::chrono::milliseconds wait) {
  if (end.why == reason::group_restart)
    return end.detail;
  return fmt::format("restart {} in {} after: {}", self->state.budget->granted(),
                     units::time_text(wait), end.detail);
}

/// From Starting until the host is Stopped or Crashed.
task<void> live(supervisor_ptr self) {
  auto& state = self->state;
  auto has_turn = co_await take_turn(self);
  while (has_turn) {
    auto end = co_await run_process(self);
    state.process.reset();
    settle(self);
    self->send(state.around->servants.monitor, revoke_atom::value, state.around->policy.id);
    if (state.stop_requested)
      break;
    auto const wait = decide_restart(self, end);
    if (!wait)
      co_return enter(self, host_state::Crashed, end.why, end.detail);
    enter(self, host_state::Restarting, end.why, describe_restart(self, end, *wait));
    auto const elapsed = co_await back_off(self, *wait);
    if (!elapsed)
      break;
    has_turn = co_await take_turn(self);
    if (has_turn)
      enter(self, host_state::Starting,
            end.why == reason::group_restart ? reason::group_restart : reason::backoff);
  }
  settle(self); // also where it never had its turn
  enter(self, host_state::Stopped, state.stop_reason, state.stop_detail);
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

/// Begins the end of a host that is up, or on its way.
void begin_stop(supervisor_ptr self, reason why, std::string const& detail) {
  auto& state = self->state;
  state.stop_requested = true;
  state.stop_reason = why;
  state.stop_detail = why == reason::requested ? std::string{} : detail;
  enter(self, host_state::Stopping, why, state.stop_detail);
  self->send(state.around->connection, refuse_atom::value, why, detail);
  deliver(self, {signal_kind::stop, 0, why, 0, detail});
}

caf::result<host_state> stop_host(supervisor_ptr self) {
  auto& state = self->state;
  switch (record_of(self).state()) {
  case host_state::Stopped:
    tell_group(self, member_step::stopped); // not to be started with the others any more
    return host_state::Stopped;
  case host_state::Crashed:
    enter(self, host_state::Stopping, reason::requested);
    enter(self, host_state::Stopped, reason::requested);
    return host_state::Stopped;
  case host_state::Stopping:
    break;
  default:
    begin_stop(self, reason::requested, "it was stopped");
  }
  return state.stoppers.emplace_back(self->make_response_promise<host_state>());
}

void on_signal(supervisor_ptr self, host_signal& signal) {
  auto const now = record_of(self).state();
  if (signal.what != signal_kind::stop)
    deliver(self, std::move(signal));
  else if (now != host_state::Stopped && now != host_state::Crashed && now != host_state::Stopping)
    begin_stop(self, signal.why, signal.detail);
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
      [self](signal_atom, host_signal& signal) { on_signal(self, signal); },
  };
}

} // namespace bulkhead
