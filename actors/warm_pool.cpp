#include <bulkhead/actors/warm_pool.hpp>

#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/host_launch.hpp>
#include <bulkhead/actors/host_news.hpp>
#include <bulkhead/actors/spare_process.hpp>
#include <bulkhead/config/units.hpp>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <algorithm>
#include <random>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace bulkhead {
namespace {

using namespace std::chrono_literals;
using pool_ptr = warm_pool_actor::stateful_pointer<warm_pool_state>;
using clock = warm_stock::clock;
using spare_id = warm_stock::spare_id;

/// A process that SIGKILL has not ended by then is stuck in the kernel.
constexpr auto kill_grace = 5s;

host_entry const& entry_of(warm_pool_state const& state, std::string_view host) {
  return **std::ranges::find(state.around->hosts, host,
                             [](auto const& each) -> std::string_view { return each->policy.id; });
}

// ---- what others see of it --------------------------------------------------------------------

void publish(pool_ptr self, std::string_view host, host_event_kind kind, std::string detail) {
  self->send(self->state.around->events, event_atom::value,
             news_of(*entry_of(self->state, host).record, kind, std::move(detail)));
}

/// Brings the records up to date.
void show(warm_pool_state& state) {
  for (auto const& each : state.around->hosts)
    if (each->policy.start.warm != 0)
      each->record->update(
          [&](host_status& now) { now.spares = state.stock->ready_for(each->policy.id); });
}

/// Wakes the coroutines of the pool.
void tell_waiting(warm_pool_state& state) {
  for (auto& wake : std::exchange(state.waiting, {}))
    wake();
}

void changed(pool_ptr self) {
  show(self->state);
  tell_waiting(self->state);
}

/// Until something has happened, or the deadline has passed.
task<void> wait_for_news(pool_ptr self, deadline by) {
  auto const wait = [self](completer<void> wake) {
    self->state.waiting.push_back(std::move(wake));
  };
  co_await external<void>(self, wait, by);
}

// ---- what becomes of spares -------------------------------------------------------------------

/// Tells of a spare that was not to be had or ended, for whatever reason.
void tell_lost(pool_ptr self, std::string const& host,
               std::optional<std::chrono::milliseconds> wait, std::string const& why) {
  auto const next = wait ? fmt::format("the next is made in {}", units::time_text(*wait))
                         : std::string{"no more is made until a start of the host goes well"};
  publish(self, host, host_event_kind::spare_lost, why + "; " + next);
}

/// A spare has failed by itself: it is no spare any more.
void lose(pool_ptr self, spare_id id, std::string const& why) {
  auto& state = self->state;
  std::string const host{state.stock->host_of(id)};
  if (host.empty())
    return; // it was given away or killed before
  auto const wait = state.stock->lost(id, clock::now());
  entry_of(state, host).record->update([](host_status& now) { ++now.spares_lost; });
  tell_lost(self, host, wait, why);
}

void drop_unwanted(pool_ptr self) {
  auto const& processes = self->state.processes;
  for (auto const id : self->state.stock->take_unwanted())
    if (auto const found = processes.find(id); found != processes.end())
      found->second->kill();
}

spare_process::listener listener_of(pool_ptr self, spare_id id) {
  auto const tell = [weak = caf::actor_cast<caf::weak_actor_ptr>(self->address())](auto... news) {
    if (auto const strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<warm_pool_actor>(strong), std::move(news)...);
  };
  return {[tell, id] { tell(ready_atom::value, id); },
          [tell, id](std::string how) { tell(lost_atom::value, id, std::move(how)); }};
}

// ---- how they are made ------------------------------------------------------------------------

void fail(pool_ptr self, std::string const& host, error const& why, bool may_pass) {
  auto const wait = self->state.stock->failed(host, clock::now(), may_pass);
  tell_lost(self, host, wait, std::string{"it could not be made: "} + why.what());
}

/// One spare for the host, from looking up its launch until it is ready or has failed.
task<void> make_spare(pool_ptr self, std::string host) {
  auto& state = self->state;
  auto& runtime = state.around->runtime;
  auto const& policy = entry_of(state, host).policy;
  auto described = co_await work_out_start(self, runtime, policy, true);
  if (state.is_stopping)
    co_return;
  if (!described)
    co_return fail(self, host, described.error(), false);
  auto const is_wanted = state.stock->wants(host, described->profile);
  drop_unwanted(self);
  changed(self);
  if (!is_wanted)
    co_return;
  if (policy.start.code_cache) {
    auto finding = ask_or_null<compiled_code_ptr>(self, state.around->code, find_atom::value,
                                                  described->profile);
    described->start.code = co_await std::move(finding);
  }
  if (state.is_stopping)
    co_return;
  // In the stock already while it is prepared, so that the limit holds.
  auto const id = state.stock->add(host, described->profile);
  auto preparing = prepare_launch(self, runtime, std::move(described->start));
  auto prepared = co_await std::move(preparing);
  if (!state.stock->is_being_made(id))
    co_return; // nobody wants it any more
  if (!prepared) {
    state.stock->forget(id);
    co_return fail(self, host, prepared.error(), false);
  }
  // For the bootstrap: it has time to do what the extension would wait for.
  prepared->launch.process.environment.insert_or_assign("BULKHEAD_SPARE", "1");
  auto created = create_process(runtime, policy, *prepared, id, [] {});
  if (!created) {
    state.stock->forget(id);
    co_return fail(self, host, created.error(), created.error().code() == errc::spawn_failed);
  }
  state.processes.emplace(id, spare_process::watch(std::move(*created),
                                                   runtime.on.context().get_executor(),
                                                   listener_of(self, id)));
  deadline const by{policy.start_timeout};
  while (state.stock->is_being_made(id)) {
    co_await wait_for_news(self, by);
    if (!by.has_passed(clock::now()) || !state.stock->is_being_made(id))
      continue;
    lose(self, id,
         fmt::format("it was not ready within {}", units::time_text(policy.start_timeout)));
    state.processes.at(id)->kill();
  }
}

void warn_of_limit(warm_pool_state& state) {
  if (!state.stock->is_short() || std::exchange(state.has_warned, true))
    return;
  state.around->runtime.log->warn("the hosts want more ready processes than runtime.warm_limit, {}",
                                  state.around->runtime.rules.warm_limit);
}

/// Makes what is missing, for as long as the runtime lives. One at a time: a machine whose hosts
/// all start again has better things to do.
task<void> keep(pool_ptr self) {
  auto& state = self->state;
  while (!state.is_stopping) {
    auto const now = clock::now();
    auto const host = state.stock->next(now);
    if (host) {
      auto making = make_spare(self, *host);
      co_await std::move(making);
      continue;
    }
    warn_of_limit(state);
    auto const wakes = state.stock->wakes(now);
    auto const by = wakes ? deadline{*wakes} : deadline{};
    co_await wait_for_news(self, by);
  }
  state.is_keeping = false;
  tell_waiting(state);
}

/// The runtime starts, and with it every host that starts by itself and runs not yet.
void begin(pool_ptr self) {
  auto& state = self->state;
  if (state.stock || state.is_stopping)
    return;
  state.stock.emplace(state.around->runtime.rules.warm_limit);
  std::random_device seed;
  for (auto const& each : state.around->hosts)
    if (each->policy.start.warm != 0)
      state.stock->add_host(each->policy,
                            each->policy.autostart && each->record->state() != host_state::Running,
                            seed());
  state.is_keeping = true;
  start(self, keep(self));
}

// ---- what is asked of it ----------------------------------------------------------------------

spare_process_ptr take(pool_ptr self, std::string const& host, launch_profile_ptr const& launch) {
  auto& state = self->state;
  if (!state.stock || state.is_stopping)
    return nullptr;
  spare_process_ptr taken;
  if (auto const id = state.stock->take(host, launch))
    taken = state.processes.extract(*id).mapped();
  drop_unwanted(self);
  changed(self);
  return taken;
}

void on_ready(pool_ptr self, spare_id id) {
  auto& state = self->state;
  if (!state.stock->is_being_made(id))
    return;
  state.stock->is_ready(id, clock::now());
  std::string const host{state.stock->host_of(id)};
  publish(self, host, host_event_kind::spare_ready,
          fmt::format("pid {}, {} of {}", state.processes.at(id)->pid(),
                      state.stock->ready_for(host), entry_of(state, host).policy.start.warm));
  changed(self);
}

void on_lost(pool_ptr self, spare_id id, std::string const& how) {
  lose(self, id, how);
  self->state.processes.erase(id);
  changed(self);
}

task<void> stop_all(pool_ptr self) {
  auto& state = self->state;
  state.is_stopping = true;
  if (!state.stock)
    co_return;
  state.stock->forget_all();
  for (auto const& [id, process] : state.processes)
    process->kill();
  changed(self);
  deadline const by{kill_grace};
  while ((state.is_keeping || !state.processes.empty()) && !by.has_passed(clock::now()))
    co_await wait_for_news(self, by);
  for (auto const& [id, process] : state.processes)
    state.around->runtime.log->critical("process {} does not end after SIGKILL", process->pid());
}

} // namespace

warm_pool_actor::behavior_type warm_pool(pool_ptr self, warm_pool_surroundings around) {
  self->state.around.emplace(std::move(around));
  return {
      [self](start_atom) { begin(self); },
      [self](take_atom, std::string const& host, launch_profile_ptr const& launch) {
        return take(self, host, launch);
      },
      [self](settle_atom, std::string const& host, bool went_well) {
        if (!self->state.stock || self->state.is_stopping)
          return;
        self->state.stock->settle(host, went_well);
        tell_waiting(self->state);
      },
      [self](rules_atom) {
        if (!self->state.stock || self->state.is_stopping)
          return;
        self->state.stock->doubt_launches();
        tell_waiting(self->state);
      },
      [self](ready_atom, std::uint64_t id) { on_ready(self, id); },
      [self](lost_atom, std::uint64_t id, std::string const& how) { on_lost(self, id, how); },
      [self](stop_atom) { return run(self, stop_all(self)); },
  };
}

} // namespace bulkhead
