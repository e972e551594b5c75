#include "coroutine_actors.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace bulkhead;
using namespace bulkhead::test;

TEST_CASE("an operation outside of CAF completes its coroutine inside the actor") {
  live_frame::count = 0;
  loop one;
  struct body {
    static task<int> work(caf::event_based_actor* self, loop* on, int what) {
      live_frame const frame;
      auto const outcome = co_await external<std::unique_ptr<int>>(
          self,
          [on, what](completer<std::unique_ptr<int>> done) {
            if (what == 1)
              boost::asio::post(on->blocking_pool(), [done = std::move(done)]() mutable {
                done(std::make_unique<int>(77));
              });
            else if (what == 2)
              done.fail(make_error(errc::overloaded));
            else if (what == 3)
              throw std::runtime_error{"can't begin"};
          },
          deadline{30s});
      CHECK(on->is_loop_thread());
      co_return outcome ? **outcome : -static_cast<int>(errc_of(outcome.error()).value());
    }
    static task<int> expired(caf::event_based_actor* self,
                             std::shared_ptr<std::optional<completer<int>>> kept) {
      auto const keep = [kept](completer<int> done) { kept->emplace(std::move(done)); };
      auto const outcome = co_await external<int>(self, keep, deadline{5ms});
      CHECK(outcome.error() == caf::sec::request_timeout);
      co_return 1;
    }
  };
  auto const worker = spawn_worker(
      one, [&one](caf::event_based_actor* self, int what) { return body::work(self, &one, what); });
  CHECK(call(one, worker, 1) == 77);
  CHECK(call(one, worker, 2) == -static_cast<int>(errc::overloaded));
  CHECK(errc_of(call(one, worker, 3).error()) == errc::handler_failed);
  CHECK(call(one, worker, 4) == -static_cast<int>(errc::handler_failed)); // dropped
  CHECK(live_frame::count == 0);
  CHECK(clock_size(one) == 0);

  auto const kept = std::make_shared<std::optional<completer<int>>>();
  CHECK(run_once(one, [kept](caf::event_based_actor* self, int) {
          return body::expired(self, kept);
        }) == 1);
  (**kept)(5); // too late
}

TEST_CASE("an operation that completes after its actor has ended, or its loop, does nothing") {
  live_frame::count = 0;
  std::optional<completer<std::string>> early;
  std::optional<completer<std::string>> late;
  struct body {
    static task<void> work(caf::event_based_actor* self,
                           std::optional<completer<std::string>>* kept) {
      live_frame const frame;
      co_await external<std::string>(
          self, [kept](completer<std::string> done) { kept->emplace(std::move(done)); });
    }
  };
  {
    loop one;
    auto const begin = [&](std::optional<completer<std::string>>* kept) {
      auto const actor = one.system().spawn([kept](caf::event_based_actor* self) -> caf::behavior {
        detach(self, body::work(self, kept));
        return {[](get) { return true; }};
      });
      answer<bool>(one, actor, get::value);
      return actor;
    };
    auto const actor = begin(&early);
    begin(&late);
    CHECK(live_frame::count == 2);
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    await_end(one, actor);
    CHECK(live_frame::count == 1);
    (*early)("nobody waits");
  }
  CHECK(live_frame::count == 0);
  std::thread{[&] { (*late)("nobody waits"); }}.join();
}

TEST_CASE("blocking work yields its value or what it threw") {
  loop one;
  struct body {
    static task<int> work(caf::event_based_actor* self, loop* on, int what) {
      auto const outcome = co_await blocking(self, on->blocking_pool(), [on, what] {
        CHECK_FALSE(on->is_loop_thread());
        if (what < 0)
          throw error{errc::extension_unusable};
        return what + 1;
      });
      value_or_throw(co_await blocking(self, on->blocking_pool(), [] {}));
      auto owning = [owner = std::make_unique<int>(what)] { return *owner; };
      auto const owned = co_await blocking(self, on->blocking_pool(), owning);
      CHECK(owned == what);
      co_return value_or_throw(outcome);
    }
  };
  auto const worker = spawn_worker(
      one, [&one](caf::event_based_actor* self, int what) { return body::work(self, &one, what); });
  CHECK(call(one, worker, 1) == 2);
  CHECK(errc_of(call(one, worker, -1).error()) == errc::extension_unusable);
}
