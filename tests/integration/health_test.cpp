#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <csignal>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::only;

namespace {

host_policy watched_host() {
  auto host = node_host("contained", test_hosts::folder / "extensions/contained");
  host.health = {.ping_interval = 20ms, .unresponsive_after = 100ms, .kill_after = 20s};
  host.restart.max_restarts = 0;
  return host;
}

/// Lets it do something that does not end.
void provoke(harness& run, std::string command) {
  run.host().async_command(std::move(command), boost::json::array{}, 60s,
                           [](std::exception_ptr, json const&) {});
}

std::optional<host_event> told(harness& run, host_event_kind kind) {
  return run.wait_for_event([kind](host_event const& event) { return event.kind == kind; });
}

} // namespace

TEST_CASE("a host that is stopped is told to be silent, and to answer once it goes on") {
  harness run{only(watched_host())};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  REQUIRE(::kill(pid, SIGSTOP) == 0);
  auto const silent = told(run, host_event_kind::unresponsive);
  CHECK(run.host().status().unresponsive_since != std::chrono::system_clock::time_point{});
  REQUIRE(::kill(pid, SIGCONT) == 0);
  REQUIRE(silent);
  INFO(silent->detail);
  CHECK(silent->to == host_state::Running);
  CHECK(contains(silent->detail, "no answer for 100ms"));
  CHECK(contains(silent->detail, "its main thread is stopped"));
  auto const back = told(run, host_event_kind::responsive);
  REQUIRE(back);
  CHECK(contains(back->detail, "it answered after"));
  CHECK(run.host().status().unresponsive_since == std::chrono::system_clock::time_point{});
  CHECK(run.host().status().state == host_state::Running);
}

TEST_CASE("a host that does not answer any more is killed as hung, and what it did is told") {
  auto host = watched_host();
  host.health.kill_after = 500ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  REQUIRE(told(run, host_event_kind::activated));
  provoke(run, "spin");
  auto const end = run.wait_for_entry("contained", host_state::Unhealthy);
  REQUIRE(end);
  INFO(end->detail);
  CHECK(end->why == reason::hung);
  CHECK(contains(end->detail, "no answer for 500ms"));
  CHECK(contains(end->detail, "its main thread"));
  CHECK(contains(end->detail, "% of a core"));
  CHECK(contains(end->detail, "open: executeCommand for"));
}

TEST_CASE("a hung host is started again within its budget") {
  auto host = watched_host();
  host.health.kill_after = 300ms;
  host.restart.max_restarts = 1;
  host.restart.backoff_initial = 1ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  provoke(run, "spin");
  REQUIRE(run.wait_for_entry("contained", host_state::Restarting));
  CHECK(run.wait_for("contained", host_state::Running));
  CHECK(run.path_of("contained") ==
        "Stopped Starting Running Unhealthy Restarting Starting Running");
}

TEST_CASE("a host that answers pings and not a request is hung after limits.request_time") {
  auto host = watched_host();
  host.limits.request_time = 200ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  provoke(run, "never");
  auto const end = run.wait_for_entry("contained", host_state::Unhealthy);
  REQUIRE(end);
  INFO(end->detail);
  CHECK(end->why == reason::hung);
  CHECK(contains(end->detail, "longer than limits.request_time, 200ms"));
}

TEST_CASE("a host that floods its backend is not taken for silent") {
  auto host = watched_host();
  host.health.unresponsive_after = 2s;
  host.limits.output_rate = 1 << 30; // what its log can't send, it prints
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  provoke(run, "flood");
  // Many pings later than the flood's beginning; each of them had to be answered to get there.
  CHECK_FALSE(run.wait_for_event(
      [](host_event const& event) { return event.kind == host_event_kind::unresponsive; }, 3s));
  auto const now = run.host().status();
  CAPTURE(now.last_end_detail);
  CHECK(now.state == host_state::Running);
}
