#include "coroutine_actors.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <caf/exit_reason.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <malloc.h>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::test;

namespace {

/// A promise that nobody will answer, even when the actor ends: what hand-written actors can do and
/// run() can't.
caf::behavior keeps_promises(caf::event_based_actor* self) {
  auto const kept = std::make_shared<std::vector<caf::response_promise>>();
  return {[self, kept](never) -> caf::result<int> {
    kept->push_back(self->make_response_promise());
    return caf::delegated<int>{};
  }};
}

task<int> sum(caf::event_based_actor* self, caf::actor peer, int count) {
  live_frame const frame;
  auto value = 0;
  for (auto turn = 0; turn != count; ++turn)
    value = value_or_throw(co_await ask<int>(self, peer, deadline{}, get::value, value));
  co_return value;
}

} // namespace

TEST_CASE("a handler's coroutine answers after nested tasks, requests and sleeps") {
  live_frame::count = 0;
  loop one;
  auto const other = one.system().spawn(peer);
  auto const worker = spawn_worker(one, [other](caf::event_based_actor* self, int count) {
    struct body {
      static task<int> work(caf::event_based_actor* self, caf::actor other, int count) {
        live_frame const frame;
        auto const before = deadline::clock::now();
        co_await sleep_for(self, 5ms);
        CHECK(deadline::clock::now() - before >= 5ms);
        co_return co_await sum(self, other, count) + 1;
      }
    };
    return body::work(self, other, count);
  });
  CHECK(call(one, worker, 10) == 11);
  CHECK(live_frame::count == 0);
}

TEST_CASE("two thousand coroutines of one actor run side by side") {
  live_frame::count = 0;
  loop one;
  auto const other = one.system().spawn(peer);
  auto const worker = spawn_worker(
      one, [other](caf::event_based_actor* self, int count) { return sum(self, other, count); });
  caf::scoped_actor outside{one.system()};
  auto total = 0;
  for (auto index = 0; index != 2000; ++index)
    outside->send(worker, index % 10);
  for (auto index = 0; index != 2000; ++index)
    outside->receive([&](int value) { total += value; }, caf::after(patience) >> [] {});
  CHECK(total == 9000);
  CHECK(live_frame::count == 0);
}

namespace {

using adder = caf::typed_actor<caf::replies_to<get, int>::with<int>, caf::reacts_to<never>>;

struct adder_state {
  adder_state() = default;
  adder_state(adder_state const&) = delete;
  caf::actor other;
  int nevers = 0;
};
using adder_pointer = adder::stateful_pointer<adder_state>;

task<int> add(adder_pointer self, int value) {
  live_frame const frame;
  auto const sum =
      value_or_throw(co_await ask<int>(self, self->state.other, 30s, get::value, value));
  co_return sum + self->state.nevers;
}

task<void> count_never(adder_pointer self) {
  live_frame const frame;
  ++self->state.nevers;
  co_return;
}

adder::behavior_type adder_actor(adder_pointer self, caf::actor other) {
  self->state.other = std::move(other);
  return {[self](get, int value) { return run(self, add(self, value)); },
          [self](never) { return run(self, count_never(self)); }};
}

} // namespace

TEST_CASE("the handlers of a typed actor with a state are coroutines") {
  live_frame::count = 0;
  loop one;
  auto const actor = one.system().spawn(adder_actor, one.system().spawn(peer));
  caf::anon_send(actor, never::value);
  caf::scoped_actor outside{one.system()};
  auto sum = 0;
  outside->request(actor, patience, get::value, 5)
      .receive([&](int value) { sum = value; }, [](caf::error&) {});
  CHECK(sum == 7);
  CHECK(live_frame::count == 0);
}

TEST_CASE("a request's time-out comes in time and one that was answered leaves nothing") {
  live_frame::count = 0;
  loop one;
  auto const other = one.system().spawn(keeps_promises);
  struct body {
    static task<int> work(caf::event_based_actor* self, caf::actor other) {
      live_frame const frame;
      auto const late = co_await ask<int>(self, other, 5ms, never::value);
      CHECK(late.error() == caf::sec::request_timeout);
      co_return 1;
    }
    static task<int> answered(caf::event_based_actor* self, caf::actor other) {
      co_return value_or_throw(co_await ask<int>(self, other, 30s, get::value, 1));
    }
  };
  CHECK(run_once(one, [other](caf::event_based_actor* self, int) {
          return body::work(self, other);
        }) == 1);
  auto const echo = one.system().spawn(peer);
  CHECK(run_once(one, [echo](caf::event_based_actor* self, int) {
          return body::answered(self, echo);
        }) == 2);
  CHECK(clock_size(one) == 0);
  CHECK(live_frame::count == 0);
}

TEST_CASE("300 000 requests with a time-out of 30 s leave no memory") {
#if defined(__SANITIZE_ADDRESS__)
  constexpr auto requests = 20'000;
#else
  constexpr auto requests = 300'000;
#endif
  loop one;
  auto const other = one.system().spawn(peer);
  struct body {
    static task<int> work(caf::event_based_actor* self, caf::actor other, int count) {
      auto value = 0;
      while (value != count)
        value = value_or_throw(co_await ask<int>(self, other, 30s, get::value, value));
      co_return value;
    }
  };
  auto const worker = spawn_worker(one, [other](caf::event_based_actor* self, int count) {
    return body::work(self, other, count);
  });
  REQUIRE(call(one, worker, 1000) == 1000);
  auto const before = on_loop(one, [] { return ::mallinfo2().uordblks; });
  REQUIRE(call(one, worker, requests) == requests);
  auto const after = on_loop(one, [] { return ::mallinfo2().uordblks; });
  CHECK(after < before + 2 * 1024 * 1024);
  CHECK(clock_size(one) == 0);
}

TEST_CASE("a peer that is dead before the request or dies during it ends the request at once") {
  live_frame::count = 0;
  loop one;
  struct body {
    static task<int> work(caf::event_based_actor* self, caf::actor other) {
      live_frame const frame;
      auto const reply = co_await ask<int>(self, other, deadline{}, never::value);
      CHECK_FALSE(reply);
      co_return 1;
    }
  };
  auto const other = one.system().spawn(peer);
  auto const worker = spawn_worker(
      one, [other](caf::event_based_actor* self, int) { return body::work(self, other); });
  SECTION("before") {
    caf::anon_send_exit(other, caf::exit_reason::kill);
    await_end(one, other);
    CHECK(call(one, worker) == 1);
  }
  SECTION("during") {
    caf::scoped_actor outside{one.system()};
    outside->send(worker, 1);
    while (live_frame::count != 2) // the worker's and, once it has been asked, the peer's
      on_loop(one, [] { return true; });
    caf::anon_send_exit(other, caf::exit_reason::user_shutdown);
    auto value = 0;
    outside->receive([&](int got) { value = got; }, caf::after(patience) >> [] {});
    CHECK(value == 1);
  }
  CHECK(live_frame::count == 0);
}

TEST_CASE("what a coroutine throws is the error that its caller gets") {
  loop one;
  struct body {
    static task<int> inner(int what) {
      live_frame const frame;
      if (what == 1)
        throw std::runtime_error{"boom"};
      if (what == 2)
        throw error{errc::path_denied, "not there"}.with_host("formatter");
      co_return value_or_throw(caf::expected<int>{caf::make_error(caf::sec::invalid_argument)});
    }
    static task<int> work(caf::event_based_actor* self, int what) {
      live_frame const frame;
      co_await sleep_for(self, 0ms);
      co_return co_await inner(what);
    }
    static task<caf::expected<int>> value(int what) {
      if (what == 1)
        co_return make_error(errc::overloaded);
      co_return what;
    }
  };
  auto const worker = spawn_worker(one, &body::work);
  auto const thrown = to_error(call(one, worker, 1).error());
  CHECK(thrown.code() == errc::handler_failed);
  CHECK(thrown.detail() == "boom");
  auto const kept = to_error(call(one, worker, 2).error());
  CHECK(kept.code() == errc::path_denied);
  CHECK(kept.host() == "formatter");
  CHECK(call(one, worker, 3).error() == caf::sec::invalid_argument);

  auto const values =
      spawn_worker(one, [](caf::event_based_actor*, int what) { return body::value(what); });
  CHECK(errc_of(call(one, values, 1).error()) == errc::overloaded);
  CHECK(call(one, values, 2) == 2);
}

namespace {

struct witness_state {
  witness_state() = default;
  witness_state(witness_state const&) = delete;
  ~witness_state() { alive = false; }
  bool alive = true;
};
using witness_pointer = caf::stateful_actor<witness_state>*;

std::atomic<int> died_with_state;
std::atomic<int> died_on_loop;

struct witness {
  witness(witness_pointer self, loop* on)
      : self_{self}
      , on_{on} {}
  witness(witness const&) = delete;
  ~witness() {
    died_with_state += self_->state.alive ? 1 : 0;
    died_on_loop += on_->is_loop_thread() ? 1 : 0;
  }
  witness_pointer self_;
  loop* on_;
};

task<int> witnessed(witness_pointer self, loop* on, caf::actor other) {
  live_frame const frame;
  witness const watch{self, on};
  co_return value_or_throw(co_await ask<int>(self, other, 30s, never::value));
}

caf::behavior witness_actor(witness_pointer self, loop* on, caf::actor other) {
  return {[=](never) { return run(self, witnessed(self, on, other)); },
          [=](get) {
            self->quit();
            return 0;
          }};
}

} // namespace

TEST_CASE("the coroutines of an actor that ends die in it, with its state alive, and their callers "
          "get an error") {
  live_frame::count = died_with_state = died_on_loop = 0;
  loop one;
  auto const other = one.system().spawn(keeps_promises);
  auto const actor = one.system().spawn(witness_actor, &one, other);
  caf::scoped_actor outside{one.system()};
  auto first = outside->request(actor, caf::infinite, never::value);
  auto second = outside->request(actor, caf::infinite, never::value);
  SECTION("by quit()") {
    outside->send(actor, get::value);
  }
  SECTION("by an exit message") {
    outside->send_exit(actor, caf::exit_reason::user_shutdown);
  }
  SECTION("by force") {
    outside->send_exit(actor, caf::exit_reason::kill);
  }
  for (auto* request : {&first, &second}) {
    caf::error failure;
    request->receive([](int) {}, [&](caf::error& failed) { failure = failed; });
    CHECK(failure == caf::sec::request_receiver_down);
  }
  await_end(one, actor);
  CHECK(died_with_state == 2);
  CHECK(died_on_loop == 2);
  CHECK(live_frame::count == 0);
  CHECK(clock_size(one) == 0);
}

TEST_CASE("a coroutine that quits its actor still answers") {
  loop one;
  struct body {
    static task<int> work(caf::event_based_actor* self, int) {
      co_await sleep_for(self, 0ms);
      self->quit();
      co_return 5;
    }
  };
  CHECK(run_once(one, &body::work) == 5);
}

TEST_CASE("coroutines that are suspended when their loop goes die with it") {
  live_frame::count = died_with_state = died_on_loop = 0;
  {
    loop one;
    auto const other = one.system().spawn(keeps_promises);
    auto const actor = one.system().spawn(witness_actor, &one, other);
    for (auto count = 0; count != 10; ++count)
      caf::anon_send(actor, never::value);
    auto const sleeper = one.system().spawn(peer);
    caf::anon_send(sleeper, never::value);
    answer<int>(one, sleeper, get::value, 1);
    CHECK(live_frame::count == 11);
  }
  CHECK(live_frame::count == 0);
  CHECK(died_with_state == 10);
  CHECK(died_on_loop == 10);
}

namespace {

/// Starts coroutines that it, or they themselves, cancel.
caf::behavior canceller(caf::event_based_actor* self, caf::actor other) {
  struct body {
    static task<void> inner(caf::event_based_actor* self, caf::actor other) {
      live_frame const frame;
      co_await ask<int>(self, other, 30s, never::value);
    }
    static task<void> outer(caf::event_based_actor* self, caf::actor other) {
      live_frame const frame;
      co_await inner(self, other);
    }
    static task<void> itself(caf::event_based_actor* self, std::shared_ptr<task_handle> handle) {
      live_frame const frame;
      co_await sleep_for(self, 0ms);
      handle->cancel();
      CHECK(live_frame::count == 1);
      co_await sleep_for(self, 0ms);
      FAIL("it went on after its cancellation");
    }
  };
  auto const handle = std::make_shared<task_handle>();
  return {[=](never) { *handle = start(self, body::outer(self, other)); },
          [=](get) {
            auto const before = handle->is_running();
            handle->cancel();
            handle->cancel();
            return before && !handle->is_running() && live_frame::count == 0;
          },
          [=](int value) {
            *handle = start(self, body::itself(self, handle));
            return value;
          }};
}

} // namespace

TEST_CASE("a detached coroutine can be cancelled by its actor, and by itself") {
  live_frame::count = 0;
  loop one;
  auto const other = one.system().spawn(keeps_promises);
  auto const actor = one.system().spawn(canceller, other);
  caf::anon_send(actor, never::value);
  CHECK(answer<bool>(one, actor, get::value) == true);
  CHECK(clock_size(one) == 0);
  CHECK(call(one, actor) == 1);
  while (live_frame::count != 0)
    on_loop(one, [] { return true; });
  CHECK(answer<bool>(one, actor, get::value) == false);
}

TEST_CASE("the error of a detached coroutine goes to its handler, or else to the actor's") {
  loop one;
  struct body {
    static task<void> fail(caf::event_based_actor* self) {
      co_await sleep_for(self, 0ms);
      throw error{errc::overloaded};
    }
  };
  std::promise<std::optional<errc>> seen;
  auto const actor = one.system().spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[&seen, self](int) {
              detach(self, body::fail(self),
                     [&seen](caf::error failed) { seen.set_value(errc_of(failed)); });
            },
            [self](get) { detach(self, body::fail(self)); }};
  });
  caf::anon_send(actor, 1);
  CHECK(seen.get_future().get() == errc::overloaded);
  caf::scoped_actor outside{one.system()};
  outside->monitor(actor);
  outside->send(actor, get::value);
  caf::error reason;
  outside->receive([&](caf::down_msg& down) { reason = down.reason; },
                   caf::after(patience) >> [] {});
  CHECK(errc_of(reason) == errc::overloaded);
}

TEST_CASE("a long chain of tasks that never suspend needs no stack") {
  loop one;
  struct body {
    static task<int> ready(int value) { co_return value; }
    static task<int> deep(int depth) {
      if (depth == 0)
        co_return 0;
      co_return co_await deep(depth - 1) + 1;
    }
    static task<int> work(caf::event_based_actor*, int) {
      auto value = 0;
      for (auto count = 0; count != 200'000; ++count)
        value += co_await ready(1);
      co_return value + co_await deep(100'000);
    }
  };
  CHECK(run_once(one, &body::work) == 300'000);
}
