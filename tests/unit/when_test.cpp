#include "coroutine_actors.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <memory>
#include <stdexcept>
#include <tuple>
#include <variant>

using namespace bulkhead;
using namespace bulkhead::test;

namespace {

using pointer = caf::event_based_actor*;

task<int> after(pointer self, std::chrono::milliseconds delay, int value) {
  live_frame const frame;
  co_await sleep_for(self, delay);
  co_return value;
}

task<int> at_once(int value) {
  live_frame const frame;
  co_return value;
}

task<void> forever(pointer self, caf::actor other) {
  live_frame const frame;
  co_await ask<int>(self, other, 30s, never::value);
}

task<std::unique_ptr<int>> failing(pointer self, std::chrono::milliseconds delay) {
  live_frame const frame;
  if (delay != 0ms)
    co_await sleep_for(self, delay);
  throw error{errc::path_denied};
}

/// One actor that runs `work(self, peer)` once; afterwards no frame and no time-out may be left.
template <class Work>
caf::expected<int> outcome_of(Work work) {
  live_frame::count = 0;
  loop one;
  auto const other = one.system().spawn(peer);
  auto const worker =
      spawn_worker(one, [work, other](pointer self, int) { return work(self, other); });
  auto const outcome = answer<int>(one, worker, 1);
  caf::anon_send_exit(other, caf::exit_reason::user_shutdown); // its own frames wait for ever
  await_end(one, other);
  CHECK(live_frame::count == 0);
  CHECK(clock_size(one) == 0);
  return outcome;
}

struct when_body {
  static task<int> all(pointer self, caf::actor other) {
    auto const [late, nothing, ready, early] = co_await when_all(
        after(self, 4ms, 1), detail::sleeping(self, 2ms), at_once(2), after(self, 1ms, 4));
    static_assert(std::is_same_v<decltype(nothing), std::monostate const>);
    CHECK(live_frame::count == 0);
    auto const [sum] = co_await when_all(at_once(8));
    co_return late + ready + early + sum +
        value_or_throw(co_await ask<int>(self, other, 30s, get::value, 15));
  }

  static task<int> all_ready(pointer, caf::actor) {
    auto const [one, two] = co_await when_all(at_once(1), at_once(2));
    co_return one + two;
  }

  static task<int> all_failing(pointer self, caf::actor other) {
    try {
      co_await when_all(forever(self, other), failing(self, 1ms), after(self, 1h, 1));
    } catch (error const& failed) {
      CHECK(live_frame::count == 1); // the peer's, which still works on its answer
      co_return static_cast<int>(failed.code());
    }
    co_return 0;
  }

  static task<int> any(pointer self, caf::actor other) {
    auto const first =
        co_await when_any(forever(self, other), after(self, 1ms, 5), after(self, 1h, 6));
    CHECK(live_frame::count == 1);
    CHECK(first.index() == 1);
    co_return std::get<1>(first);
  }

  static task<int> any_ready(pointer self, caf::actor other) {
    auto const first = co_await when_any(after(self, 1h, 1), at_once(2), forever(self, other));
    CHECK(live_frame::count == 0); // the third was never begun
    CHECK(first.index() == 1);
    co_return std::get<1>(first);
  }

  static task<int> any_failing(pointer self, caf::actor other) {
    auto const first = co_await when_any(forever(self, other), failing(self, 1ms));
    co_return static_cast<int>(first.index());
  }

  static task<int> branch(pointer self, caf::actor other, std::chrono::milliseconds delay) {
    live_frame const frame;
    auto const [value, first] = co_await when_all(after(self, delay, 1), first_of(self, other));
    co_return value + first;
  }
  static task<int> first_of(pointer self, caf::actor other) {
    live_frame const frame;
    auto const first = co_await when_any(forever(self, other), at_once(10));
    co_return std::get<1>(first);
  }
  static task<int> nested(pointer self, caf::actor other) {
    auto const first = co_await when_any(branch(self, other, 1h), branch(self, other, 1ms),
                                         branch(self, other, 1h));
    CHECK(first.index() == 1);
    co_return std::get<1>(first);
  }

  static task<int> limited(pointer self, caf::actor other) {
    auto const late = co_await with_deadline(self, 2ms, forever(self, other));
    CHECK(late.error() == caf::sec::request_timeout);
    CHECK(live_frame::count == 1);
    auto const flat = co_await with_deadline(self, 1h, overloaded());
    CHECK(errc_of(flat.error()) == errc::overloaded);
    co_return *co_await with_deadline(self, deadline{}, after(self, 1ms, 3));
  }
  static task<caf::expected<int>> overloaded() { co_return make_error(errc::overloaded); }
};

} // namespace

TEST_CASE("when_all yields what all tasks return") {
  CHECK(outcome_of(&when_body::all) == 31);
  CHECK(outcome_of(&when_body::all_ready) == 3);
}

TEST_CASE("when_all cancels the others when one task throws") {
  CHECK(outcome_of(&when_body::all_failing) == static_cast<int>(errc::path_denied));
}

TEST_CASE("when_any yields the first and has destroyed the others by then") {
  CHECK(outcome_of(&when_body::any) == 5);
  CHECK(outcome_of(&when_body::any_ready) == 2);
  CHECK(errc_of(outcome_of(&when_body::any_failing).error()) == errc::path_denied);
}

TEST_CASE("when_all and when_any nest") {
  CHECK(outcome_of(&when_body::nested) == 11);
}

TEST_CASE("with_deadline cancels what takes too long") {
  CHECK(outcome_of(&when_body::limited) == 3);
}

TEST_CASE("an actor that ends while when_all waits in several places destroys all of them") {
  live_frame::count = 0;
  struct body {
    static task<int> quits(pointer self) {
      live_frame const frame;
      co_await sleep_for(self, 1ms);
      self->quit();
      co_await sleep_for(self, 1h);
      co_return 1;
    }
    static task<int> work(pointer self, caf::actor other, bool by_itself) {
      live_frame const frame;
      auto last = by_itself ? quits(self) : after(self, 1h, 1);
      co_await when_all(after(self, 1h, 1), forever(self, other), std::move(last));
      co_return 1;
    }
  };
  auto const by_itself = GENERATE(false, true);
  loop one;
  auto const other = one.system().spawn(peer);
  auto const worker = spawn_worker(
      one, [other, by_itself](pointer self, int) { return body::work(self, other, by_itself); });
  caf::scoped_actor outside{one.system()};
  auto request = outside->request(worker, patience, 1);
  if (!by_itself)
    outside->send_exit(worker, caf::exit_reason::user_shutdown);
  caf::error failure;
  request.receive([](int) {}, [&](caf::error& failed) { failure = failed; });
  CHECK(failure == caf::sec::request_receiver_down);
  await_end(one, worker);
  caf::anon_send_exit(other, caf::exit_reason::kill);
  await_end(one, other);
  CHECK(live_frame::count == 0);
}
