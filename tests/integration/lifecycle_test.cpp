#include "test_hosts.hpp"

#include <signal.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::start;
using test_hosts::stop;

namespace {

bool is_running(int pid) {
  return ::kill(pid, 0) == 0;
}

host_policy without_restarts(host_policy host) {
  host.restart.max_restarts = 0;
  return host;
}

/// Waits until the host has crashed and says why it did first.
reason first_end(harness& run) {
  run->start();
  auto const crashed = run.wait_for_entry("raw", host_state::Crashed);
  REQUIRE(crashed);
  CHECK(run.every_transition_was_legal());
  auto const unhealthy = run.wait_for_entry("raw", host_state::Unhealthy, 0ms);
  return unhealthy ? unhealthy->why : crashed->why;
}

} // namespace

TEST_CASE("a Node extension is started, activated, called and stopped") {
  harness run{only(test_hosts::echo_extension())};
  REQUIRE(run.start());
  auto const reply =
      outcome(run.host().async_command("echo", {"hello", 7}, boost::asio::use_future));
  REQUIRE(reply);
  CHECK(*reply == json{"hello", 7});
  CHECK(run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::activated; }));
  auto const pid = run.host().status().pid;
  CHECK(is_running(pid));
  REQUIRE(stop(run.host()));
  CHECK(!is_running(pid));
  REQUIRE(run.wait_for_entry("echo", host_state::Stopped));
  CHECK(run.path_of("echo") == "Stopped Starting Running Stopping Stopped");
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a failed activation is an event, and the host keeps running") {
  harness run{only(node_host("bad", test_hosts::folder / "extensions/bad-activation"))};
  REQUIRE(run.start());
  auto const failed = run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::activation_failed; });
  REQUIRE(failed);
  CHECK(failed->detail.find("no licence key") != std::string::npos);
  CHECK(run.host().status().state == host_state::Running);
  auto const refused =
      outcome(run.host().async_command("unreachable", {}, boost::asio::use_future));
  REQUIRE(!refused);
  CHECK(refused.error().remote_code() == "activation_failed");
}

TEST_CASE("a host in any language is started and called") {
  harness run{only(command_host(
      "python", {test_hosts::python(), (test_hosts::folder / "hosts/python_host.py").string()}))};
  REQUIRE(run.start());
  auto const reply = outcome(run.host().async_command("upper", {"hello"}, boost::asio::use_future));
  REQUIRE(reply);
  CHECK(*reply == json("HELLO"));
}

TEST_CASE("a host that exits is started again, and serves again") {
  harness run{only(test_hosts::serving_host())};
  REQUIRE(run.start());
  auto const first = run.host().status().pid;
  auto const lost = run.call("exit", 7);
  REQUIRE(!lost);
  CHECK(lost.error().code() == errc::connection_lost);
  CHECK(lost.error().host_reason() == reason::exit_code);
  auto const reply = run.call("echo", "again");
  REQUIRE(reply);
  CHECK(reply->text() == "\"again\"");
  CHECK(run.host().status().pid != first);
  CHECK(run.host().status().restarts == 1);
  CHECK(run.host().status().last_end == reason::exit_code);
  CHECK(run.path_of("raw") == "Stopped Starting Running Unhealthy Restarting Starting Running");
  auto const unhealthy = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(unhealthy);
  CHECK(unhealthy->detail == "exit code 7");
  CHECK(unhealthy->pid == first);
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("each way to end has its reason") {
  SECTION("a clean exit") {
    harness run{only(without_restarts(raw_host({"ready", "take", "exit:0"})))};
    REQUIRE(run.start());
    CHECK(run.call("any").error().host_reason() == reason::clean_exit);
    CHECK(first_end(run) == reason::clean_exit);
  }
  SECTION("a signal") {
    harness run{only(without_restarts(test_hosts::serving_host()))};
    REQUIRE(run.start());
    CHECK(run.call("abort").error().host_reason() == reason::signal);
    CHECK(first_end(run) == reason::signal);
    CHECK(run.host().status().last_end_detail.find("SIGSEGV") != std::string::npos);
  }
  SECTION("an exit before ready") {
    harness run{only(without_restarts(raw_host({"exit:3"})))};
    CHECK(first_end(run) == reason::exit_code);
    CHECK(run.path_of("raw") == "Stopped Starting Unhealthy Crashed");
  }
  SECTION("never ready") {
    auto host = without_restarts(raw_host({"pause"}));
    host.start_timeout = 200ms;
    harness run{only(std::move(host))};
    CHECK(first_end(run) == reason::start_timeout);
  }
  SECTION("a closed connection, while the process goes on") {
    harness run{only(without_restarts(raw_host({"ready", "close", "pause"})))};
    CHECK(first_end(run) == reason::connection_closed);
  }
  SECTION("one direction closed") {
    harness run{only(without_restarts(raw_host({"ready", "shutdown-write", "pause"})))};
    CHECK(first_end(run) == reason::connection_closed);
  }
}

TEST_CASE("a spent restart budget is a crash, and refuses the requests that waited") {
  auto host = raw_host({"print:no licence key", "exit:3"});
  host.restart.max_restarts = 2;
  harness run{only(std::move(host))};
  run->start();
  REQUIRE(run.wait_for_entry("raw", host_state::Starting));
  auto waiting = run.host().async_request("echo", json{}, 30s, boost::asio::use_future);
  auto const refused = outcome(std::move(waiting));
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::host_not_running);
  CHECK(refused.error().host_reason() == reason::restart_budget_spent);
  auto const crashed = run.wait_for_entry("raw", host_state::Crashed);
  REQUIRE(crashed);
  CHECK(crashed->why == reason::restart_budget_spent);
  CHECK(crashed->restarts == 2);
  CHECK(crashed->detail ==
        "restart budget spent: 2 restarts in 5min; the last end: exit code 3; its "
        "last words: no licence key | no licence key | no licence key");
  CHECK(run.path_of("raw") == "Stopped Starting Unhealthy Restarting Starting Unhealthy Restarting "
                              "Starting Unhealthy Crashed");

  auto const late = run.call("echo");
  REQUIRE(!late);
  CHECK(late.error().code() == errc::host_not_running);
}

TEST_CASE("an explicit start of a crashed host begins with a fresh budget") {
  temporary_directory files;
  auto host = without_restarts(
      raw_host({"exit-once:3 " + (files.path() / "marker").string(), "ready", "serve"}));
  harness run{only(std::move(host))};
  run->start();
  REQUIRE(run.wait_for("raw", host_state::Crashed));
  auto const started = start(run.host());
  REQUIRE(started);
  CHECK(*started == host_state::Running);
  CHECK(run.call("echo"));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("an exit code that the policy names is final") {
  auto host = raw_host({"ready", "take", "exit:78"});
  host.restart.never_on_exit_codes = {78};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(!run.call("any"));
  REQUIRE(run.wait_for("raw", host_state::Crashed));
  CHECK(run.host().status().why == reason::exit_code);
  CHECK(run.host().status().restarts == 0);
}

TEST_CASE("what can't be launched crashes at once and says what to do") {
  SECTION("a command that is not there") {
    harness run{only(command_host("raw", {"/nowhere/at-all"}))};
    auto const started = start(run.host());
    REQUIRE(!started);
    CHECK(started.error().host_reason() == reason::launch_failed);
    CHECK(started.error().detail().find("/nowhere/at-all") != std::string::npos);
  }
  SECTION("an extension that is not there") {
    harness run{only(node_host("raw", "/nowhere/at-all"))};
    auto const started = start(run.host());
    REQUIRE(!started);
    CHECK(started.error().host_reason() == reason::launch_failed);
    CHECK(started.error().detail().find("extension_unusable, 4601") != std::string::npos);
  }
}

TEST_CASE("a host can be stopped in every state") {
  auto const ends = [](harness& run) {
    auto const stopped = stop(run.host());
    REQUIRE(stopped);
    CHECK(*stopped == host_state::Stopped);
    CHECK(run.host().status().pid == 0);
    CHECK(run.every_transition_was_legal());
    auto const refused = run.call("echo");
    REQUIRE(!refused);
    CHECK(refused.error().code() == errc::host_not_running);
  };
  SECTION("Stopped") {
    harness run{only(test_hosts::serving_host())};
    ends(run);
  }
  SECTION("Starting") {
    harness run{only(raw_host({"pause"}))};
    run->start();
    REQUIRE(run.wait_for_entry("raw", host_state::Starting));
    ends(run);
  }
  SECTION("Running") {
    harness run{only(test_hosts::serving_host())};
    REQUIRE(run.start());
    ends(run);
  }
  SECTION("Restarting") {
    auto host = raw_host({"exit:1"});
    host.restart.backoff_initial = host.restart.backoff_max = 1min;
    harness run{only(std::move(host))};
    run->start();
    REQUIRE(run.wait_for("raw", host_state::Restarting));
    ends(run);
  }
  SECTION("Crashed") {
    harness run{only(without_restarts(raw_host({"exit:1"})))};
    run->start();
    REQUIRE(run.wait_for("raw", host_state::Crashed));
    ends(run);
  }
  SECTION("Stopping") {
    harness run{only(test_hosts::serving_host())};
    REQUIRE(run.start());
    auto first = run.host().async_stop(boost::asio::use_future);
    auto second = run.host().async_stop(boost::asio::use_future);
    CHECK(outcome(std::move(first)));
    CHECK(outcome(std::move(second)));
    ends(run);
  }
}

TEST_CASE("a stopped host can be started again") {
  harness run{only(test_hosts::serving_host())};
  REQUIRE(start(run.host()));
  REQUIRE(stop(run.host()));
  REQUIRE(start(run.host()));
  CHECK(run.call("echo"));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a start that is stopped ends in an error") {
  harness run{only(raw_host({"pause"}))};
  auto starting = run.host().async_start(boost::asio::use_future);
  REQUIRE(run.wait_for_entry("raw", host_state::Starting));
  REQUIRE(stop(run.host()));
  auto const ended = outcome(std::move(starting));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::host_not_running);
  CHECK(ended.error().host_reason() == reason::requested);
}

TEST_CASE("a host that ignores SIGTERM is killed at the deadline") {
  auto host = raw_host({"ignore-term", "ready", "pause"});
  host.stop.term_timeout = 100ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  auto const began = std::chrono::steady_clock::now();
  REQUIRE(stop(run.host()));
  CHECK(std::chrono::steady_clock::now() - began >= 100ms);
  CHECK(!is_running(pid));
}

TEST_CASE("a host that is stopped by SIGSTOP is ended all the same") {
  auto host = test_hosts::serving_host();
  host.stop.term_timeout = 100ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  ::kill(pid, SIGSTOP);
  REQUIRE(stop(run.host()));
  CHECK(!is_running(pid));
}

TEST_CASE("a host that does not start by itself waits for its start") {
  auto host = test_hosts::serving_host();
  host.autostart = false;
  harness run{only(std::move(host))};
  run->start();
  CHECK(run.host().status().state == host_state::Stopped);
  CHECK(!run.call("echo"));
  REQUIRE(start(run.host()));
  CHECK(run.call("echo"));
}

TEST_CASE("a storm of crashes leaves the other host alone") {
  auto crashing = raw_host({"exit:1"}, "crashing");
  crashing.restart.max_restarts = 5;
  harness run{policy_of({std::move(crashing), test_hosts::serving_host("quiet")})};
  run->start();
  REQUIRE(run.wait_for("quiet", host_state::Running));
  REQUIRE(run.wait_for("crashing", host_state::Crashed));
  CHECK(run.call_host("quiet", "echo"));
  CHECK(run.host("quiet").status().restarts == 0);
  CHECK(run.path_of("quiet") == "Stopped Starting Running");
}
