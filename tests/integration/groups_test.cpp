#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

/// Hosts a, b and c in a group in this order; the policy has them in another one.
policy grouped(restart_strategy restart) {
  auto what = policy_of({serving_host("c"), serving_host("a"), serving_host("b")});
  what.groups.push_back({"trio", {"a", "b", "c"}, restart});
  return what;
}

/// "a Running", in the order in which the runtime told it.
class told_transitions {
public:
  explicit told_transitions(harness& run) {
    run->on_event([kept = kept_](host_event const& event) {
      if (event.kind != host_event_kind::state_changed)
        return;
      std::lock_guard const lock{kept->mutex};
      kept->lines.push_back(event.host + ' ' + std::string{to_string(event.to)});
      kept->told.notify_all();
    });
  }

  /// Waits until each of these was told, in this order. False: they were not in time.
  bool has_in_order(std::vector<std::string> const& wanted) const {
    std::unique_lock lock{kept_->mutex};
    return kept_->told.wait_for(lock, patience, [&] {
      auto from = kept_->lines.begin();
      return std::ranges::all_of(wanted, [&](std::string const& each) {
        from = std::find(from, kept_->lines.end(), each);
        return from != kept_->lines.end();
      });
    });
  }

private:
  struct record {
    std::mutex mutex;
    std::condition_variable told;
    std::vector<std::string> lines;
  };
  std::shared_ptr<record> kept_ = std::make_shared<record>();
};

std::int32_t pid_of(harness& run, std::string_view id) {
  return run.host(id).status().pid;
}

/// Lets b end, and waits until it runs again.
void fail_and_come_back(harness& run) {
  CHECK(!run.call_host("b", "exit", 7));
  REQUIRE(run.call_host("b", "echo"));
}

constexpr std::string_view restarted =
    "Stopped Starting Running Unhealthy Restarting Starting Running";

} // namespace

TEST_CASE("the hosts of a group start in its order and stop in the reverse one") {
  auto what = grouped(restart_strategy::one_for_one);
  what.hosts[1] = raw_host({"sleep:0.2", "ready", "serve"}, "a");
  what.hosts[0] = raw_host({"ignore-term", "ready", "serve"}, "c");
  what.hosts[0].stop.term_timeout = 100ms;
  harness run{std::move(what)};
  told_transitions const told{run};
  REQUIRE(run.start());
  CHECK(told.has_in_order({"a Running", "b Running", "c Running"}));
  REQUIRE(outcome(run->async_shutdown(boost::asio::use_future)));
  CHECK(told.has_in_order(
      {"c Stopping", "c Stopped", "b Stopping", "b Stopped", "a Stopping", "a Stopped"}));
}

TEST_CASE("one for one: the others of the group do not notice") {
  harness run{grouped(restart_strategy::one_for_one)};
  REQUIRE(run.start());
  auto const a = pid_of(run, "a");
  auto const c = pid_of(run, "c");
  fail_and_come_back(run);
  CHECK(pid_of(run, "a") == a);
  CHECK(pid_of(run, "c") == c);
  CHECK(run.path_of("c") == "Stopped Starting Running");
}

TEST_CASE("all for one: every host of the group starts again, and only the culprit pays for it") {
  harness run{grouped(restart_strategy::all_for_one)};
  told_transitions const told{run};
  REQUIRE(run.start());
  auto const a = pid_of(run, "a");
  fail_and_come_back(run);
  // A request that comes meanwhile waits for its host.
  CHECK(run.call_host("a", "echo"));
  CHECK(run.call_host("c", "echo"));
  CHECK(pid_of(run, "a") != a);
  for (auto const id : {"a", "b", "c"})
    CHECK(run.path_of(id) == restarted);
  CHECK(told.has_in_order({"b Unhealthy", "c Unhealthy", "c Restarting", "a Unhealthy",
                           "a Restarting", "a Running", "b Running", "c Running"}));
  CHECK(run.host("b").status().restarts == 1);
  CHECK(run.host("a").status().restarts == 0);
  auto const down = run.wait_for_entry("c", host_state::Unhealthy);
  REQUIRE(down);
  CHECK(down->why == reason::group_restart);
  CHECK(down->detail == "b of group trio: exit code 7");
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("rest for one: those that start before the culprit go on") {
  harness run{grouped(restart_strategy::rest_for_one)};
  REQUIRE(run.start());
  auto const a = pid_of(run, "a");
  auto const c = pid_of(run, "c");
  fail_and_come_back(run);
  REQUIRE(run.call_host("c", "echo"));
  CHECK(pid_of(run, "a") == a);
  CHECK(pid_of(run, "c") != c);
  CHECK(run.path_of("c") == restarted);
}

TEST_CASE("hosts that go down with one that has crashed wait for it to be started again") {
  auto what = grouped(restart_strategy::rest_for_one);
  what.hosts[2].restart.max_restarts = 0;
  harness run{std::move(what)};
  REQUIRE(run.start());
  CHECK(!run.call_host("b", "exit", 7));
  REQUIRE(run.wait_for("c", host_state::Stopped));
  auto const stopped = run.host("c").status();
  CHECK(stopped.why == reason::group_stopped);
  CHECK(contains(stopped.detail, "b of group trio: "));
  auto const refused = run.call_host("c", "echo");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::host_not_running);
  CHECK(run.host("a").status().state == host_state::Running);
  REQUIRE(test_hosts::start(run.host("b")));
  REQUIRE(run.wait_for("c", host_state::Running));
  CHECK(run.call_host("c", "echo"));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a host that can't start keeps those that need it from starting") {
  auto what = grouped(restart_strategy::rest_for_one);
  what.hosts[1] = command_host("a", {"/nowhere/program"});
  harness run{std::move(what)};
  run->start();
  REQUIRE(run.wait_for("c", host_state::Stopped));
  REQUIRE(run.wait_for_entry("c", host_state::Stopping));
  REQUIRE(run.wait_for_entry("b", host_state::Stopping));
  CHECK(run.path_of("c") == "Stopped Starting Stopping Stopped");
  CHECK(run.events("c").front().pid == 0);
  CHECK(run.host("a").status().state == host_state::Crashed);
}

TEST_CASE("a group that is starting again can be shut down at any moment") {
  for (int i = 0; i < 10; ++i) {
    harness run{grouped(restart_strategy::all_for_one)};
    REQUIRE(run.start());
    for (auto const id : {"a", "b", "c"})
      run.host(id).async_request("exit", json(1), 60s, [](std::exception_ptr, payload const&) {});
    if (i % 2 == 0)
      REQUIRE(run.wait_for_entry("b", host_state::Restarting));
    REQUIRE(outcome(run->async_shutdown(boost::asio::use_future)));
    for (auto const id : {"a", "b", "c"})
      CHECK(run.wait_for(id, host_state::Stopped));
    CHECK(run.every_transition_was_legal());
  }
}

TEST_CASE("a host of a group that was stopped by hand is left alone") {
  harness run{grouped(restart_strategy::all_for_one)};
  REQUIRE(run.start());
  REQUIRE(test_hosts::stop(run.host("c")));
  fail_and_come_back(run);
  CHECK(run.call_host("a", "echo"));
  CHECK(run.host("c").status().state == host_state::Stopped);
  CHECK(run.host("c").status().why == reason::requested);
}

TEST_CASE("a group of hosts that the policy lacks is refused") {
  auto what = grouped(restart_strategy::one_for_one);
  what.groups.front().hosts.push_back("nobody");
  CHECK_THROWS_AS(runtime(what), error);
}
