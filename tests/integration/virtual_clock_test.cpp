#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <bulkhead/harness/virtual_clock.hpp>

#include <csignal>
#include <stdexcept>
#include <thread>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::only;
using test_hosts::serving_host;

TEST_CASE("a backoff of an hour passes when the test lets it") {
  virtual_clock clock;
  auto host = serving_host();
  host.restart.backoff_initial = 1h;
  host.restart.backoff_max = 2h;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(!run.call("exit", 1));
  REQUIRE(run.wait_for("raw", host_state::Restarting));
  clock.advance(30min);
  run.settle();
  CHECK(run.host().status().state == host_state::Restarting);
  clock.advance(90min);
  REQUIRE(run.wait_for("raw", host_state::Running));
  CHECK(run.path_of("raw") == "Stopped Starting Running Unhealthy Restarting Starting Running");
}

TEST_CASE("a request waits for as long as the test lets it") {
  virtual_clock clock;
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto hanging = run.host().async_request("hang", json(1), 10min, boost::asio::use_future);
  REQUIRE(run.call("echo"));
  clock.advance(9min);
  run.settle();
  CHECK(hanging.wait_for(0s) == std::future_status::timeout);
  clock.advance(2min);
  auto const ended = outcome(std::move(hanging));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::request_timeout);
}

TEST_CASE("a host that hangs for half a minute takes no half minute to test") {
  virtual_clock clock;
  auto host = serving_host();
  host.health = {.ping_interval = 1s, .unresponsive_after = 3s, .kill_after = 30s};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  REQUIRE(::kill(run.host().status().pid, SIGSTOP) == 0);
  clock.advance(1s); // it is asked
  run.settle();
  auto const told = [&](host_event_kind kind) {
    return run.wait_for_event([kind](host_event const& event) { return event.kind == kind; });
  };
  clock.advance(3s);
  auto const silent = told(host_event_kind::unresponsive);
  REQUIRE(silent);
  CHECK(contains(silent->detail, "no answer for 3s"));
  clock.advance(27s);
  auto const hung = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(hung);
  CHECK(hung->why == reason::hung);
}

TEST_CASE("a ping that is not answered yet takes none of the backend's room") {
  virtual_clock clock;
  auto host = serving_host();
  host.limits.in_flight = 1;
  host.health = {.ping_interval = 1s, .unresponsive_after = 3s, .kill_after = 30s};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  REQUIRE(::kill(pid, SIGSTOP) == 0);
  clock.advance(1s); // it is asked
  run.settle();
  auto reply = run.host().async_request("echo", json(1), 1h, boost::asio::use_future);
  REQUIRE(::kill(pid, SIGCONT) == 0);
  CHECK(outcome(std::move(reply)));
}

TEST_CASE("there is one virtual clock at a time, and time goes on after it") {
  {
    virtual_clock clock;
    auto const before = clock.now();
    CHECK_THROWS_AS(virtual_clock{}, std::logic_error);
    CHECK(clock.now() == before);
    clock.advance(5s);
    CHECK(clock.now() == before + 5s);
  }
  auto const before = deadline::clock::now();
  while (deadline::clock::now() == before)
    std::this_thread::yield();
  CHECK(deadline::clock::now() > before);
}
