#include "test_hosts.hpp"

#include <bulkhead/typed_actors.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/scoped_actor.hpp>
#include <signal.h>
#include <thread>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_awaitable;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

bool is_running(int pid) {
  return ::kill(pid, 0) == 0;
}

auto shut_down(harness& run) {
  return outcome(run->async_shutdown(use_future));
}

} // namespace

TEST_CASE("requests of many threads at once each end once") {
  constexpr std::size_t threads = 8;
  constexpr std::size_t each = 1000;
  auto host = serving_host();
  host.limits.in_flight = threads * each;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  call_tally tally;
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < threads; ++i)
    callers.emplace_back([&] {
      for (std::size_t n = 0; n < each; ++n)
        run.host().async_request("echo", json(n), 20s, tally.one());
    });
  for (auto& caller : callers)
    caller.join();
  REQUIRE(tally.wait(patience));
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == threads * each);
  CHECK(run.host().status().requests == threads * each);
}

TEST_CASE("starts, stops and requests of many threads at once never hang") {
  harness run{only(serving_host())};
  call_tally tally;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        if (i == 0)
          run.host().async_start(tally.one());
        else if (i == 1 && n % 5 == 0)
          run.host().async_stop(tally.one());
        else
          run.host().async_request("echo", json(n), patience, tally.one());
        std::this_thread::yield();
      }
    });
  for (auto& caller : callers)
    caller.join();
  REQUIRE(tally.wait(patience));
  CHECK(tally.each_ended_once());
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a callback gets what happened") {
  std::promise<std::string> said;
  harness run{only(serving_host())};
  REQUIRE(run.start());
  run.host().async_request(
      "echo", json("x"), patience, [&](std::exception_ptr failed, payload reply) {
        said.set_value(failed ? error_from(failed).what() : std::string{reply.text()});
      });
  CHECK(outcome(said.get_future()).value() == "\"x\"");
}

TEST_CASE("a coroutine on the backend's own loop awaits a host") {
  boost::asio::io_context loop;
  harness run{loop, only(serving_host())};
  std::string said;
  boost::asio::co_spawn(
      loop,
      [&]() -> boost::asio::awaitable<void> {
        co_await run.host().async_start(use_awaitable);
        auto const reply =
            co_await run.host().async_request("echo", json("x"), patience, use_awaitable);
        said = reply.text();
        json const reason{{"error", "no"}}; // g++ 12 can't build it inside of a co_await
        try {
          co_await run.host().async_request("fail", reason, patience, use_awaitable);
        } catch (error const& failed) {
          said += failed.detail();
        }
        co_await run->async_shutdown(use_awaitable);
        loop.stop();
      },
      boost::asio::detached);
  loop.run_for(patience);
  CHECK(said == "\"x\"no");
  CHECK(run.host().status().state == host_state::Stopped);
  run.destroy();
}

TEST_CASE("a runtime on a given loop that is destroyed without a shutdown ends its hosts") {
  boost::asio::io_context loop;
  int pid = 0;
  call_tally tally;
  {
    harness run{loop, only(serving_host())};
    run->start();
    run->on_event([&](host_event const& event) {
      if (event.to == host_state::Running)
        loop.stop();
    });
    loop.run_for(patience);
    pid = run.host().status().pid;
    REQUIRE(is_running(pid));
    run.host().async_request("hang", json{}, 10min, tally.one());
    loop.restart();
    loop.poll();
  }
  CHECK(!is_running(pid));
  loop.restart();
  loop.poll();
  CHECK(tally.each_ended_once());
}

TEST_CASE("a runtime on a loop that never ran can be destroyed") {
  boost::asio::io_context loop;
  call_tally tally;
  {
    harness run{loop, only(serving_host())};
    run->start();
    run.host().async_request("echo", json{}, patience, tally.one());
  }
  loop.poll();
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == 0);
}

TEST_CASE("a runtime can be destroyed while another thread goes on running the backend's loop") {
  boost::asio::io_context loop;
  auto work = boost::asio::make_work_guard(loop);
  std::thread backend{[&] { loop.run(); }};
  {
    harness run{loop, only(serving_host())};
    CHECK(test_hosts::start(run.host()));
  }
  work.reset();
  backend.join();
}

TEST_CASE("starts, stops and shutdowns that are open when the runtime is destroyed end") {
  call_tally tally;
  harness run{only(raw_host({"ignore-term", "pause"}))};
  run.host().async_start(tally.one());
  REQUIRE(run.wait_for_entry("raw", host_state::Starting));
  run.host().async_start(tally.one());
  run.host().async_stop(tally.one());
  run->async_shutdown(tally.one());
  run.destroy();
  CHECK(tally.wait(0ms));
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == 0);
}

TEST_CASE("requests that are open when the runtime is destroyed end") {
  call_tally tally;
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  auto pending = run.host().async_request("hang", json{}, 10min, use_future);
  for (int i = 0; i < 1000; ++i)
    run.host().async_request("hang", json{}, 10min, tally.one());
  run.destroy();
  CHECK(!is_running(pid));
  CHECK(tally.wait(0ms));
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == 0);
  auto const ended = outcome(std::move(pending));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::connection_lost);
}

TEST_CASE("two runtimes live in one process") {
  harness one{only(serving_host())};
  harness two{only(serving_host())};
  REQUIRE(one.start());
  REQUIRE(two.start());
  CHECK(one.call("echo", 1)->text() == "1");
  CHECK(two.call("echo", 2)->text() == "2");
  one.destroy();
  CHECK(two.call("echo", 3)->text() == "3");
}

TEST_CASE("a shutdown lets open requests end, refuses new ones and leaves no process") {
  harness run{policy_of({raw_host({"ready", "take", "sleep:0.3", "reply", "serve"}, "slow"),
                         serving_host("idle"), raw_host({"pause"}, "starting")})};
  run->start();
  REQUIRE(run.wait_for("slow", host_state::Running));
  REQUIRE(run.wait_for("idle", host_state::Running));
  std::vector<int> pids;
  for (auto const& host : run->hosts())
    pids.push_back(host.status().pid);
  auto open = run.host("slow").async_request("echo", json("drained"), patience, use_future);
  auto ended = run->async_shutdown(use_future);
  auto const refused = run.call_host("idle", "echo");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::runtime_stopped);
  auto const drained = outcome(std::move(open));
  REQUIRE(drained);
  CHECK(drained->text() == "\"drained\"");
  REQUIRE(outcome(std::move(ended)));
  for (auto const& host : run->hosts())
    CHECK(host.status().state == host_state::Stopped);
  for (auto const pid : pids)
    CHECK(!is_running(pid));
  CHECK(run.every_transition_was_legal());

  auto const late = test_hosts::start(run.host("idle"));
  REQUIRE(!late);
  CHECK(late.error().code() == errc::runtime_stopped);
}

TEST_CASE("a shutdown waits no longer than its drain timeout") {
  auto what = only(serving_host());
  what.drain_timeout = 100ms;
  harness run{std::move(what)};
  REQUIRE(run.start());
  auto open = run.host().async_request("hang", json{}, 10min, use_future);
  REQUIRE(shut_down(run));
  auto const ended = outcome(std::move(open));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::connection_lost);
  CHECK(ended.error().host_reason() == reason::requested);
  CHECK(shut_down(run)); // a second one has nothing to do
}

TEST_CASE("every subscriber sees every event, in order") {
  std::vector<std::string> one;
  std::vector<std::string> two;
  harness run{only(serving_host())};
  run->on_event([&](host_event const& event) { one.push_back(to_string(event)); });
  run->on_event([&](host_event const& event) { two.push_back(to_string(event)); });
  REQUIRE(run.start());
  REQUIRE(shut_down(run));
  run.destroy();
  CHECK(one.size() == 4);
  CHECK(one == two);
}

TEST_CASE("a host that the policy does not have answers with unknown_host") {
  harness run{only(serving_host())};
  auto const nobody = run.host("nobody");
  CHECK(nobody.status().host == "nobody");
  CHECK(run.call_host("nobody", "echo").error().code() == errc::unknown_host);
  CHECK(test_hosts::start(nobody).error().code() == errc::unknown_host);
  CHECK(test_hosts::stop(nobody).error().code() == errc::unknown_host);
}

TEST_CASE("an actor of the backend's asks the supervisor and the connection") {
  harness run{only(serving_host())};
  auto& actors = run->actors();
  caf::scoped_actor self{actors.system()};
  self->request(actors.supervisor("raw"), caf::infinite, start_atom::value)
      .receive([](host_state state) { CHECK(state == host_state::Running); },
               [](caf::error const& failed) { FAIL(to_string(failed)); });
  self->request(actors.connection("raw"), caf::infinite, request_atom::value, std::string{"echo"},
                std::string{"[1]"}, std::uint64_t{5000})
      .receive([](std::string const& reply) { CHECK(reply == "[1]"); },
               [](caf::error const& failed) { FAIL(to_string(failed)); });
  self->request(actors.connection("raw"), caf::infinite, request_atom::value, std::string{"echo"},
                std::string{"not JSON"}, std::uint64_t{5000})
      .receive([](std::string const&) { FAIL("it is not JSON"); },
               [](caf::error const& failed) {
                 CHECK(to_error(failed).code() == errc::invalid_payload);
               });
  self->request(actors.supervisor("raw"), caf::infinite, status_atom::value)
      .receive([](host_status const& now) { CHECK(now.requests == 1); },
               [](caf::error const& failed) { FAIL(to_string(failed)); });
  self->request(actors.runtime(), caf::infinite, list_atom::value)
      .receive([](std::vector<std::string> const& ids) { CHECK(ids.size() == 1); },
               [](caf::error const& failed) { FAIL(to_string(failed)); });
  CHECK_THROWS_AS(actors.supervisor("nobody"), error);
}

TEST_CASE("an actor of the backend's hears of every event") {
  harness run{only(serving_host())};
  auto& actors = run->actors();
  caf::scoped_actor self{actors.system()};
  caf::anon_send(actors.runtime(), subscribe_atom::value, caf::actor_cast<caf::actor>(self));
  run->start();
  std::vector<host_state> states;
  auto const goes_on = [&] { return states.empty() || states.back() != host_state::Running; };
  self->receive_while(goes_on)(
      [&](event_atom, host_event const& event) { states.push_back(event.to); },
      caf::after(patience) >> [] { FAIL("no event came"); });
  CHECK(states == std::vector{host_state::Starting, host_state::Running});
}
