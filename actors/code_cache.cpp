#include <bulkhead/actors/code_cache.hpp>

#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/actors/host_launch.hpp>
#include <bulkhead/actors/host_news.hpp>
#include <bulkhead/config/units.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <algorithm>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace bulkhead {
namespace {

using namespace std::chrono_literals;
using cache_ptr = code_cache_actor::stateful_pointer<code_cache_state>;

/// A process that SIGKILL has not ended by then is stuck in the kernel.
constexpr auto kill_grace = 5s;

/// What the process that compiles has, by their numbers in it.
constexpr int list_number = 3;
constexpr int code_number = 4;

host_entry const& entry_of(code_cache_state const& state, std::string_view host) {
  return **std::ranges::find(state.around->hosts, host,
                             [](auto const& each) -> std::string_view { return each->policy.id; });
}

void publish(cache_ptr self, std::string_view host, host_event_kind kind, std::string detail) {
  self->send(self->state.around->events, event_atom::value,
             news_of(*entry_of(self->state, host).record, kind, std::move(detail)));
}

/// Wakes the coroutines of the cache.
void tell_waiting(code_cache_state& state) {
  for (auto& wake : std::exchange(state.waiting, {}))
    wake();
}

/// Until something has happened, or the deadline has passed.
task<void> wait_for_news(cache_ptr self, deadline by) {
  auto const wait = [self](completer<void> wake) {
    self->state.waiting.push_back(std::move(wake));
  };
  co_await external<void>(self, wait, by);
}

// ---- the process that compiles ----------------------------------------------------------------

/// It gets what the host gets, and less where it needs less: it opens no socket, starts no program
/// and writes nothing but its result. V8 takes code of its own flags only, so those stay.
void make_compiler_of(host_start& start, std::filesystem::path const& bootstrap) {
  auto& what = start.launch;
  std::ranges::replace(what.process.arguments, bootstrap.string(),
                       (bootstrap.parent_path() / "compile.js").string());
  what.writable.clear();
  what.network = false;
  what.processes = false;
  what.bounds.file_size = platform::largest_code;
}

std::string list_of(script_states const& scripts) {
  boost::json::array names;
  for (auto const& [name, state] : scripts)
    names.emplace_back(name);
  return boost::json::serialize(
      json{{"most", platform::largest_code}, {"scripts", std::move(names)}});
}

/// Lets the process of a prepared start compile these into that file, until it has ended. Why it
/// did not; empty where it did.
task<std::string> compile(cache_ptr self, std::string host, host_start start,
                          platform::unique_fd list, int code) {
  auto& state = self->state;
  auto& runtime = state.around->runtime;
  auto const& policy = entry_of(state, host).policy;
  auto process = start.launch.process;
  process.inherited = {{list_number, list.get()}, {code_number, code}};
  process.environment.insert_or_assign("BULKHEAD_SCRIPTS_FD", std::to_string(list_number));
  process.environment.insert_or_assign("BULKHEAD_CODE_FD", std::to_string(code_number));
  auto started = runtime.containment.start(std::move(start.contained), std::move(process), [] {});
  if (!started)
    co_return started.error().detail();
  state.maker.emplace(std::move(*started));
  auto const when_ended = [self](completer<platform::exit_status> done) {
    auto const shared = std::make_shared<completer<platform::exit_status>>(std::move(done));
    self->state.maker->process.async_wait_exit(
        self->state.around->runtime.on.context().get_executor(),
        [shared](platform::exit_status const& status) { (*shared)(status); });
  };
  deadline const by{policy.start_timeout};
  auto const ended = co_await external<platform::exit_status>(self, when_ended, by);
  if (!ended) {
    state.maker->process.kill_tree();
    deadline const killed_by{kill_grace};
    auto const killed = co_await external<platform::exit_status>(self, when_ended, killed_by);
    if (!killed)
      runtime.log->critical("process {} does not end after SIGKILL", state.maker->process.pid());
  }
  auto const maker = std::move(*state.maker);
  state.maker.reset();
  if (!ended)
    co_return fmt::format("it took longer than start_timeout, {}",
                          units::time_text(policy.start_timeout));
  if (ended->kind == platform::exit_kind::exited && ended->value == 0)
    co_return std::string{};
  co_return cause_of({*ended, 0, maker.host->failure(), false, 0, policy.limits}).detail;
}

// ---- what becomes of it -----------------------------------------------------------------------

/// Of these scripts nothing is made until they change.
void give_up(cache_ptr self, std::string const& host, launch_profile_ptr const& launch,
             script_states scripts, std::string const& why) {
  self->state.store.keep(launch, std::move(scripts), nullptr);
  publish(self, host, host_event_kind::code_not_cached,
          why + "; its scripts are compiled at each start until they change");
}

/// The task of one host, from looking at its scripts until their code is there or can't be had.
task<void> make_code(cache_ptr self, std::string host, std::vector<std::string> loaded) {
  auto& state = self->state;
  auto& runtime = state.around->runtime;
  auto const& policy = entry_of(state, host).policy;
  auto const launch = state.store.launch_of(host);
  auto look = [folder = policy.extension,
               names = state.store.names_for(launch, std::move(loaded))] {
    return platform::look_at_scripts(folder, names);
  };
  auto seen = co_await blocking(self, runtime.on.blocking_pool(), look);
  if (!seen || state.is_stopping || !state.store.wants(launch, *seen))
    co_return;
  auto described = co_await work_out_start(self, runtime, policy, true);
  if (!described || state.is_stopping || !is_same(described->profile, launch))
    co_return; // what has changed meanwhile, the next start tells
  auto const began = std::chrono::steady_clock::now();
  make_compiler_of(described->start, runtime.bootstrap);
  auto list = platform::make_script_list(list_of(*seen));
  auto code = platform::make_code_file();
  if (!list || !code)
    co_return give_up(self, host, launch, std::move(*seen), (list ? code : list).error().detail());
  auto preparing = prepare_launch(self, runtime, std::move(described->start));
  auto prepared = co_await std::move(preparing);
  if (state.is_stopping)
    co_return;
  if (!prepared)
    co_return give_up(self, host, launch, std::move(*seen), prepared.error().detail());
  auto compiling = compile(self, host, std::move(*prepared), std::move(*list), code->get());
  auto const failed = co_await std::move(compiling);
  if (state.is_stopping)
    co_return;
  if (!failed.empty())
    co_return give_up(self, host, launch, std::move(*seen), "compiling failed: " + failed);
  auto made = platform::seal_code(std::move(*code));
  if (!made)
    co_return give_up(self, host, launch, std::move(*seen), made.error().detail());
  if (made->scripts == 0)
    co_return give_up(self, host, launch, std::move(*seen), "none of them can be compiled ahead");
  auto const took = time_since(began);
  auto detail = fmt::format("{} script{}, {} KiB, compiled in {} ms", made->scripts,
                            made->scripts == 1 ? "" : "s", made->bytes >> 10, took.count() / 1000);
  state.store.keep(launch, std::move(*seen),
                   std::make_shared<platform::compiled_code const>(std::move(*made)));
  publish(self, host, host_event_kind::code_cached, std::move(detail));
}

/// Does what there is to do. One after the other, and none while a host is on its way up: what
/// somebody waits for goes first.
task<void> work(cache_ptr self) {
  auto& state = self->state;
  deadline const never;
  while (!state.is_stopping && !state.tasks.empty()) {
    if (!state.starting.empty()) {
      co_await wait_for_news(self, never);
      continue;
    }
    auto next = std::move(state.tasks.front());
    state.tasks.pop_front();
    auto making = make_code(self, std::move(next.host), std::move(next.loaded));
    co_await std::move(making);
  }
  state.is_working = false;
  tell_waiting(state);
}

// ---- what is asked of it ----------------------------------------------------------------------

void on_loaded(cache_ptr self, std::string& host, std::vector<std::string>& loaded) {
  auto& state = self->state;
  if (state.is_stopping)
    return;
  std::erase_if(state.tasks, [&](auto const& each) { return each.host == host; });
  state.tasks.push_back({std::move(host), std::move(loaded)});
  if (!std::exchange(state.is_working, true))
    start(self, work(self));
}

task<void> stop_all(cache_ptr self) {
  auto& state = self->state;
  state.is_stopping = true;
  if (state.maker)
    state.maker->process.kill_tree();
  tell_waiting(state);
  deadline const by{kill_grace};
  while (state.is_working && !by.has_passed(deadline::clock::now()))
    co_await wait_for_news(self, by);
}

} // namespace

code_cache_actor::behavior_type code_cache(cache_ptr self, code_cache_surroundings around) {
  self->state.around.emplace(std::move(around));
  return {
      [self](take_atom, std::string const& host, launch_profile_ptr const& launch) {
        self->state.starting.insert(host);
        return self->state.store.take(host, launch);
      },
      [self](find_atom, launch_profile_ptr const& launch) {
        return self->state.store.find(launch);
      },
      [self](loaded_atom, std::string& host, std::vector<std::string>& loaded) {
        on_loaded(self, host, loaded);
      },
      [self](settle_atom, std::string const& host) {
        self->state.starting.erase(host);
        tell_waiting(self->state);
      },
      [self](stop_atom) { return run(self, stop_all(self)); },
  };
}

} // namespace bulkhead
