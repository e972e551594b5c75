#include <bulkhead/actors/host_supervisor.hpp>

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/host_start.hpp>
#include <bulkhead/actors/resource_monitor.hpp>
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
using supervisor_ptr = host_supervisor_actor::stateful_pointer<host_supervisor_state>;
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

/// The number of the program; until it runs in its sandbox, of the launcher; 0 without either.
pid_t pid_of(host_supervisor_state const& state) {
  if (!state.process)
    return 0;
  auto const program = state.contained->launch().program;
  return program != 0 ? program : state.process->pid();
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
  if (to == host_state::Running && self->state.contained)
    event.sandbox = self->state.contained->report();
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
    if (to == host_state::Running)
      now.running_since = std::chrono::system_clock::now();
    else if (from == host_state::Running)
      now.running_since = {};
    if (to == host_state::Unhealthy || to == host_state::Crashed) {
      now.last_end = why;
      now.last_end_detail = detail;
    }
    if (to == host_state::Running)
      now.sandbox = state.contained->report();
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

/// What the exit of the present process comes from.
host_signal describe_exit(supervisor_ptr self, std::uint64_t generation,
                          platform::exit_status const& status) {
  auto const& state = self->state;
  exit_facts facts{status, 0, state.contained->failure(), state.output->said_out_of_memory(),
                   state.around->policy.limits};
  if (state.contained->report().tier != sandbox_tier::none)
    facts.oom_kills =
        state.around->runtime.containment.measure({state.contained->probe()}).front().oom_kills;
  auto const cause = cause_of(facts);
  return {signal_kind::exited, generation, cause.why, cause.code, cause.detail};
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
  co_return std::move(*start);
}

void record_start(supervisor_ptr self, host_start const& start) {
  audit_record made;
  made.time = std::chrono::system_clock::now();
  made.host = self->state.around->policy.id;
  made.what = "host.started";
  made.object = start.extension_id;
  made.rule = to_string(start.held);
  self->send(self->state.around->servants.audit, record_atom::value, audit_records{made});
}

void watch_usage(supervisor_ptr self) {
  auto& state = self->state;
  auto const& policy = state.around->policy;
  auto const& counters = state.around->record->counters;
  auto watched = std::make_shared<watched_host>();
  watched->id = policy.id;
  watched->generation = state.generation;
  watched->limits = policy.limits;
  watched->process = state.contained;
  watched->record = state.around->record;
  watched->tell = signal_sender(self);
  watched->printed = state.output->printed();
  if (policy.sandbox.file_write) {
    auto const own =
        folders_of(state.around->runtime.rules, policy, state.around->runtime.place.path());
    watched->storage = {own.storage, own.logs, own.temp};
  }
  watched->operations_before = counters.received;
  watched->bytes_in_before = counters.bytes_in;
  watched->bytes_out_before = counters.bytes_out;
  self->send(state.around->servants.monitor, watch_atom::value, std::move(watched));
}

/// Creates and connects the process. What goes wrong later comes as a signal.
result<void> launch(supervisor_ptr self, host_start start) {
  auto& state = self->state;
  auto& runtime = state.around->runtime;
  auto const& policy = state.around->policy;
  auto const generation = ++state.generation;

  if (!start.refused.empty())
    log_of(self).warn("[{}] asks for more than the policy grants: {}", policy.id,
                      to_string(start.refused));
  state.extension_id = start.extension_id;
  state.setup =
      make_connection_setup(policy, runtime.place, generation, runtime.on.context().get_executor());
  if (auto const prepared = state.setup->prepare(start.spec); !prepared)
    return prepared.error();
  auto const tell = signal_sender(self);
  auto started = runtime.containment.start(
      std::move(start.contained), std::move(start.spec), [tell, generation] {
        tell({signal_kind::launched, generation, reason::none, 0, {}});
      });
  if (!started)
    return started.error();
  state.process = std::move(started->process);
  state.contained = std::move(started->host);
  state.output.emplace(runtime.on, *state.process, runtime.log, state.around->record, policy.id,
                       policy.limits.output_rate);
  // By this actor's own thread, so that what is known of the process is known still.
  state.process->async_wait_exit(runtime.on.context().get_executor(),
                                 [self, tell, generation](platform::exit_status status) {
                                   tell(describe_exit(self, generation, status));
                                 });
  watch_usage(self);
  self->send(state.around->servants.guard, grant_atom::value, policy.id, start.asked.to_bits());
  record_start(self, start);
  state.setup->connect(state.process->pid(), [tell, generation, link = state.around->link](
                                                 result<link_sockets> sockets) {
    if (sockets)
      link->attach(generation, std::move(*sockets));
    else
      tell({signal_kind::connect_failed, generation, reason::start_timeout,
            static_cast<std::int32_t>(sockets.error().code()), sockets.error().detail()});
  });
  return {};
}

// ---- control requests -------------------------------------------------------------------------

/// Hands the end of a control request to a function.
template <class Done>
class control_handler final : public call_handler {
public:
  explicit control_handler(Done done)
      : done_{std::move(done)} {}
  void complete(result<payload> ended) override { done_(std::move(ended)); }
  boost::asio::cancellation_slot cancellation_slot() noexcept override { return {}; }

private:
  Done done_;
};

template <class Done>
std::unique_ptr<call_handler> when_done(Done done) {
  return std::make_unique<control_handler<Done>>(std::move(done));
}

payload extension_payload(supervisor_ptr self) {
  return payload{json{{"extensionId", self->state.extension_id}}};
}

/// With the folders that its path rules are about: what the extension needs to ask for files.
payload activation_payload(supervisor_ptr self) {
  auto const& around = *self->state.around;
  auto const own = folders_of(around.runtime.rules, around.policy, around.runtime.place.path());
  boost::json::array workspace;
  for (auto const& folder : around.policy.filesystem.workspace)
    workspace.emplace_back(folder.string());
  return payload{json{{"extensionId", self->state.extension_id},
                      {"folders",
                       {{"workspace", std::move(workspace)},
                        {"extension", own.extension.string()},
                        {"storage", own.storage.string()},
                        {"logs", own.logs.string()},
                        {"temp", own.temp.string()}}}}};
}

void activate(supervisor_ptr self) {
  if (self->state.extension_id.empty())
    return;
  link_of(self).send_control(
      "activate-extension", activation_payload(self), self->state.around->policy.request_timeout,
      when_done(
          [tell = signal_sender(self), generation = self->state.generation](result<payload> ended) {
            tell({signal_kind::activated, generation, reason::none, ended ? 0 : 1,
                  ended ? std::string{} : ended.error().detail()});
          }));
}

task<void> deactivate(supervisor_ptr self) {
  if (self->state.extension_id.empty())
    co_return;
  auto const by = deadline{self->state.around->policy.stop.deactivate_timeout};
  link_of(self).send_control(
      "deactivate-extension", extension_payload(self), by,
      when_done([tell = signal_sender(self), generation = self->state.generation](result<payload>) {
        tell({signal_kind::deactivated, generation, reason::none, 0, {}});
      }));
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
  self->state.setup.reset();
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
    state.setup.reset();
    process_end never_started{reason_of_failed_start(launched.error().code()),
                              launched.error().what()};
    never_started.started = false;
    co_return never_started;
  }
  record_of(self).update([&](host_status& now) { now.pid = pid_of(state); });
  auto const start_by = deadline{state.around->policy.start_timeout};
  auto is_running = false;
  for (;;) {
    auto const by = is_running ? deadline{} : start_by;
    auto const signal = co_await next_signal(self, by);
    if (!signal)
      co_return co_await end_process(
          self, {reason::start_timeout,
                 fmt::format("no extension-host-ready within {}",
                             units::time_text(state.around->policy.start_timeout))});
    switch (signal->what) {
    case signal_kind::ready:
      if (state.stop_requested)
        break;
      is_running = true;
      state.budget->on_running(clock::now());
      enter(self, host_state::Running, reason::ready, signal->detail);
      self->send(state.around->connection, open_atom::value);
      activate(self);
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
      co_await stop_process(self, is_running);
      co_return process_end{reason::requested, {}};
    case signal_kind::activated:
      on_activated(self, *signal);
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
    state.contained.reset();
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
