#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/loop_clock.hpp>

#include <atomic>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <future>
#include <string>
#include <utility>

/// What the tests of the coroutine layer share.
namespace bulkhead::test {

using namespace std::chrono_literals;

/// Longer than anything here takes; a test that waits for so long has failed.
constexpr auto patience = 60s; // of a machine that is busy with other tests

/// Counts the frames that are alive: one in every coroutine.
struct live_frame {
  live_frame() { ++count; }
  live_frame(live_frame const&) = delete;
  ~live_frame() { --count; }
  static inline std::atomic<int> count = 0;
};

using get = caf::atom_constant<caf::atom("get")>;
using never = caf::atom_constant<caf::atom("never")>;

/// Adds one; keeps the promise of `never` in a coroutine that never ends.
inline task<int> hang(caf::event_based_actor* self) {
  live_frame const frame;
  co_await sleep_until(self, deadline{});
  co_return 0;
}

inline caf::behavior peer(caf::event_based_actor* self) {
  return {[](get, int value) { return value + 1; },
          [self](never) { return run(self, hang(self)); }};
}

/// Sends a request from outside of the loop and returns its answer.
template <class T, class... Message>
caf::expected<T> answer(loop& on, caf::actor const& actor, Message... message) {
  caf::scoped_actor outside{on.system()};
  caf::expected<T> result{caf::make_error(caf::sec::runtime_error)};
  outside->request(actor, patience, std::move(message)...)
      .receive([&](T& value) { result = std::move(value); },
               [&](caf::error& failed) { result = std::move(failed); });
  return result;
}

/// Runs `function` on the loop's thread and returns what it returns.
template <class Function>
auto on_loop(loop& on, Function function) {
  std::packaged_task<decltype(function())()> work{std::move(function)};
  auto done = work.get_future();
  boost::asio::post(on.context(), [&] { work(); });
  if (done.wait_for(patience) != std::future_status::ready)
    std::terminate();
  return done.get();
}

/// Spawns an actor with one handler that runs the coroutine `work(self, int)`.
template <class Work>
caf::actor spawn_worker(loop& on, Work work) {
  return on.system().spawn([work](caf::event_based_actor* self) -> caf::behavior {
    return {[self, work](int argument) { return run(self, work(self, argument)); }};
  });
}

/// Has `worker` run its coroutine.
inline caf::expected<int> call(loop& on, caf::actor const& worker, int argument = 1) {
  return answer<int>(on, worker, argument);
}

/// Runs `work` as the handler of an actor on `on` and returns its answer.
template <class Work>
caf::expected<int> run_once(loop& on, Work work) {
  return call(on, spawn_worker(on, work));
}

/// How many time-outs are pending.
inline std::size_t clock_size(loop& on) {
  return static_cast<bulkhead::detail::loop_clock&>(on.system().clock()).size();
}

/// Waits until `actor` has ended.
inline void await_end(loop& on, caf::actor const& actor) {
  caf::scoped_actor outside{on.system()};
  outside->wait_for(actor);
}

} // namespace bulkhead::test
