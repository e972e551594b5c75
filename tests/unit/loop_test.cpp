#include "coroutine_actors.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <caf/actor_ostream.hpp>
#include <caf/exit_reason.hpp>
#include <filesystem>
#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/resource.h>
#include <thread>

namespace asio = boost::asio;
using namespace bulkhead;
using namespace bulkhead::test;

namespace {

/// Says whether it runs on the thread of the loop it is given.
caf::behavior where_am_i(caf::event_based_actor*, loop* on) {
  return {[on](get) { return on->is_loop_thread(); }};
}

/// Never falls silent.
caf::behavior flood(caf::event_based_actor* self) {
  self->send(self, 0);
  return {[self](int count) { self->send(self, count + 1); }};
}

/// Ends only when it is killed.
caf::behavior stubborn(caf::event_based_actor* self) {
  self->set_exit_handler([](caf::exit_msg const&) {});
  return {[](get, int value) { return value; }};
}

/// Sees no message, not even an exit, before an answer that never comes.
caf::behavior awaiting(caf::event_based_actor* self, caf::actor silent) {
  self->request(silent, caf::infinite, never::value).await([](int) {});
  return {[](get, int value) { return value; }};
}

caf::behavior silent(caf::event_based_actor* self) {
  auto const kept = std::make_shared<std::vector<caf::response_promise>>();
  return {[self, kept](never) -> caf::result<int> {
    kept->push_back(self->make_response_promise());
    return caf::delegated<int>{};
  }};
}

struct ended {
  ended(std::atomic<int>& count)
      : count_{count} {}
  ended(ended const&) = delete;
  ~ended() { ++count_; }
  std::atomic<int>& count_;
};

/// Counts when its behaviour, and with it the actor's state, has gone.
caf::behavior counting(caf::event_based_actor*, std::atomic<int>* ends) {
  return {[keep = std::make_shared<ended>(*ends)](get, int value) { return value; }};
}

} // namespace

TEST_CASE("actors run on the thread of their loop, with several loops in one process") {
  loop first;
  loop second;
  auto const in_first = first.system().spawn(where_am_i, &first);
  auto const in_second = second.system().spawn(where_am_i, &second);
  CHECK(answer<bool>(first, in_first, get::value) == true);
  CHECK(answer<bool>(second, in_second, get::value) == true);
  CHECK_FALSE(first.is_loop_thread());
  CHECK(on_loop(first, [&] { return first.is_loop_thread() && !second.is_loop_thread(); }));
}

TEST_CASE("a loop has one thread and no more") {
  auto const threads = [] {
    std::filesystem::directory_iterator const all{"/proc/self/task"};
    return std::distance(begin(all), end(all));
  };
  auto const before = threads();
  loop one;
  on_loop(one, [] { return true; });
  CHECK(threads() == before + 1);
}

TEST_CASE("run_ready lets woken actors finish before the completion handler goes on") {
  loop one;
  auto const seen = std::make_shared<int>(0);
  auto const actor = one.system().spawn([seen](caf::event_based_actor*) -> caf::behavior {
    return {[seen](int value) { *seen += value; }};
  });
  auto const [before, after] = on_loop(one, [&] {
    caf::anon_send(actor, 1);
    caf::anon_send(actor, 2);
    auto const unseen = *seen;
    one.run_ready();
    return std::pair{unseen, *seen};
  });
  CHECK(before == 0);
  CHECK(after == 3);
}

TEST_CASE("an actor that never falls silent does not starve timers, sockets or other actors") {
  loop one;
  one.system().spawn(flood);
  std::promise<void> fired;
  asio::steady_timer timer{one.context()};
  on_loop(one, [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](boost::system::error_code) { fired.set_value(); });
    return true;
  });
  CHECK(fired.get_future().wait_for(patience) == std::future_status::ready);
  CHECK(answer<int>(one, one.system().spawn(peer), get::value, 5) == 6);
}

TEST_CASE("an idle loop burns no processor time") {
  loop one;
  one.system().spawn(peer);
  auto const usage = [&] {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return used;
  };
  auto const before = on_loop(one, usage);
  std::promise<void> later;
  asio::steady_timer timer{one.context(), 200ms};
  timer.async_wait([&](boost::system::error_code) { later.set_value(); });
  REQUIRE(later.get_future().wait_for(patience) == std::future_status::ready);
  auto const after = on_loop(one, usage);
  auto const microseconds = [](timeval const& time) {
    return time.tv_sec * 1'000'000 + time.tv_usec;
  };
  CHECK(microseconds(after.ru_utime) + microseconds(after.ru_stime) -
            microseconds(before.ru_utime) - microseconds(before.ru_stime) <
        10'000);
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 10);
}

TEST_CASE("delayed messages and time-outs arrive, from any thread, in the order they are due") {
  loop one;
  caf::scoped_actor outside{one.system()};
  outside->delayed_send(outside, 20ms, 2);
  outside->delayed_send(outside, 1ms, 1);
  std::vector<int> order;
  for (auto count = 0; count != 2; ++count)
    outside->receive([&](int value) { order.push_back(value); }, caf::after(patience) >> [] {});
  CHECK(order == std::vector{1, 2});

  auto const actor = one.system().spawn(silent);
  caf::error failure;
  outside->request(actor, 5ms, never::value)
      .receive([](int) {}, [&](caf::error& failed) { failure = failed; });
  CHECK(failure == caf::sec::request_timeout);
}

TEST_CASE("what actors write with aout goes to the log") {
  std::ostringstream text;
  auto const previous = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  {
    loop one;
    auto const actor = one.system().spawn([](caf::event_based_actor* self) -> caf::behavior {
      return {[self](get) {
        caf::aout(self) << "from an actor" << std::endl;
        return true;
      }};
    });
    CHECK(answer<bool>(one, actor, get::value) == true);
  }
  spdlog::set_default_logger(previous);
  CHECK_THAT(text.str(), Catch::Contains("from an actor"));
}

TEST_CASE("a loop ends all its actors when it is destroyed from another thread") {
  std::atomic<int> ends = 0;
  {
    loop one;
    one.system().spawn(flood);
    one.system().spawn(stubborn);
    one.system().spawn(awaiting, one.system().spawn(silent));
    auto const held = one.system().spawn(counting, &ends);
    for (auto count = 0; count != 1000; ++count)
      caf::anon_send(held, get::value, count);
  }
  CHECK(ends == 1);
}

TEST_CASE("a loop on a given io_context ends its actors") {
  std::atomic<int> ends = 0;
  asio::io_context context{1};

  SECTION("where nobody ever ran it") {
    loop one{context};
    one.system().spawn(counting, &ends);
    one.system().spawn(stubborn);
  }
  SECTION("where it was run and stopped") {
    loop one{context};
    auto const actor = one.system().spawn(counting, &ends);
    std::thread runner{[&] { context.run(); }};
    CHECK(answer<int>(one, actor, get::value, 5) == 5);
    context.stop();
    runner.join();
    caf::anon_send(actor, get::value, 1);
  }
  SECTION("where the destroying thread ran it at other times") {
    loop one{context};
    auto const actor = one.system().spawn(counting, &ends);
    caf::anon_send(actor, get::value, 1);
    while (context.poll() != 0) {
    }
  }
  SECTION("where another thread goes on running it") {
    std::thread runner;
    {
      loop one{context};
      auto const actor = one.system().spawn(counting, &ends);
      runner = std::thread{[&] { context.run(); }};
      CHECK(answer<int>(one, actor, get::value, 5) == 5);
    }
    CHECK(ends == 1);
    runner.join(); // without the loop run() has no more to do
  }
  SECTION("where another thread that lives on has spawned its actors") {
    auto work = asio::make_work_guard(context);
    std::thread runner{[&] { context.run(); }};
    {
      loop one{context};
      std::promise<void> spawned;
      asio::post(context, [&] {
        one.system().spawn(counting, &ends);
        spawned.set_value();
      });
      spawned.get_future().wait();
    }
    work.reset();
    runner.join();
  }
  SECTION("where it is destroyed by a completion handler") {
    auto one = std::make_unique<loop>(context);
    one->system().spawn(counting, &ends);
    asio::post(context, [&] { one.reset(); });
    context.run();
  }
  CHECK(ends == 1);
  context.restart();
  context.poll(); // what is left in it does nothing
}

TEST_CASE("a thread that stopped running a given io_context is not waited for endlessly") {
  asio::io_context context{1};
  std::atomic<int> ends = 0;
  {
    loop one{context};
    one.system().spawn(counting, &ends);
    std::thread{[&] { context.run_for(1ms); }}.join();
  }
  CHECK(ends == 1);
}

TEST_CASE("blocking work has its own threads and is awaited when the loop stops") {
  std::atomic<bool> finished = false;
  {
    loop one;
    std::promise<void> begun;
    asio::post(one.blocking_pool(), [&] {
      CHECK_FALSE(one.is_loop_thread());
      begun.set_value();
      std::this_thread::sleep_for(10ms);
      finished = true;
    });
    begun.get_future().wait();
  }
  CHECK(finished);
}
