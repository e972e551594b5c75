// Everything that came from a host ends with it, however it was left behind; and a host can be
// stopped in any state, and at any time again.

#include "process_tree.hpp"
#include "shared/forked.hpp"
#include "shared/open_directory.hpp"
#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <algorithm>
#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/process_birth.hpp>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

/// Those of which nothing but a zombie is left, and the runtime's guard, are not counted.
std::string living(foster_parent const& family) {
  std::string text;
  for (auto const& each : family.descendants())
    if (!each.words.empty() && !each.is("bulkhead-launcher", "guard"))
      text += ' ' + each.words.back();
  return text;
}

/// The tiers under which a whole tree can be ended here.
std::vector<sandbox_tier> tiers() {
  std::vector<sandbox_tier> held{sandbox_tier::basic};
  // Without a control group nothing but its process group is ended with a host.
  if (platform::cgroup_tree::create("tree-" + std::to_string(::getpid())))
    held.push_back(sandbox_tier::none);
  return held;
}

/// Whether a process can be created inside of a control group here.
bool has_birth_in_group() {
  auto tree = platform::cgroup_tree::create("tree-" + std::to_string(::getpid()));
  if (!tree || !platform::has_birth_in_group())
    return false;
  auto const group = tree->create_group("probe", {});
  return group && group->directory_fd() >= 0;
}

/// What lives of a host that leaves daemons behind, with its pipes and its connection, once `ended`
/// says that it has ended. It may do so before anybody has seen it Running.
std::string left_of(sandbox_tier tier, std::vector<std::string> const& steps,
                    bool (*ended)(harness&)) {
  return text_of_child([&]() -> std::string {
    foster_parent const family;
    open_directory const place;
    std::vector<std::string> command{
        raw_host_program(place), "ready", "daemon", "daemon", "daemon", "print:left"};
    command.insert(command.end(), steps.begin(), steps.end());
    auto host = command_host("raw", std::move(command));
    host.sandbox.require = tier;
    host.restart.max_restarts = 0;
    host.stop.term_timeout = 100ms;
    host.health = {20ms, 100ms, 500ms};
    harness run{only(std::move(host))};
    run->start();
    if (!run.wait_for_log("stdout: left"))
      return "it left no daemons: " + run.path_of("raw");
    return ended(run) ? living(family) : "it did not end: " + run.path_of("raw");
  });
}

host_policy stubborn_host() {
  auto host = raw_host({"on-term:heard", "ready", "print:waits", "pause"});
  host.stop.term_timeout = 300ms;
  return host;
}

} // namespace

TEST_CASE("nothing of a host is left once it has ended, daemons that hold on to it included") {
  for (auto const tier : tiers()) {
    INFO(to_string(tier));
    auto const stop = [](harness& run) { return test_hosts::stop(run.host()).has_value(); };
    auto const crash = [](harness& run) { return run.wait_for("raw", host_state::Crashed); };
    CHECK(left_of(tier, {"serve"}, stop) == "");
    CHECK(left_of(tier, {"ignore-term", "spin"}, stop) == "");
    CHECK(left_of(tier, {"exit:1"}, crash) == "");
    CHECK(left_of(tier, {"close", "pause"}, crash) == "");
    CHECK(left_of(tier, {"frame:nonsense", "pause"}, crash) == "");
    CHECK(left_of(tier, {"stop"}, crash) == "");
  }
}

TEST_CASE("what a host without a sandbox does first, it does in its control group") {
  if (!has_birth_in_group()) {
    WARN("no control groups of version 2 for this user on this machine");
    return;
  }
  auto host = serving_host();
  // Only then the program that serves.
  std::vector<std::string> const first{"/bin/sh", "-c", "cat /proc/self/cgroup; exec \"$@\"", "sh"};
  host.command.insert(host.command.begin(), first.begin(), first.end());
  host.sandbox.require = sandbox_tier::none;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const told = run.wait_for_log("stdout: 0::");
  REQUIRE(told);
  CHECK(contains(*told, "/host-raw-"));
}

TEST_CASE("however often and whenever a host is stopped, each stop ends in Stopped, and it once") {
  harness run{only(stubborn_host())};
  REQUIRE(run.start());
  REQUIRE(run.wait_for_log("stdout: waits"));
  std::vector<std::future<host_state>> stops;
  for (auto i = 0; i < 5; ++i)
    stops.push_back(run.host().async_stop(use_future));
  REQUIRE(run.wait_for_log("stdout: heard")); // it has SIGTERM, and goes on
  for (auto i = 0; i < 5; ++i)
    stops.push_back(run.host().async_stop(use_future));
  for (auto& each : stops) {
    auto const ended = outcome(std::move(each));
    REQUIRE(ended);
    CHECK(*ended == host_state::Stopped);
  }
  CHECK(run.path_of("raw") == "Stopped Starting Running Stopping Stopped");
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a start while a host is being stopped is refused, and one afterwards is not") {
  harness run{only(stubborn_host())};
  REQUIRE(run.start());
  REQUIRE(run.wait_for_log("stdout: waits"));
  auto stopping = run.host().async_stop(use_future);
  REQUIRE(run.wait_for_entry("raw", host_state::Stopping));
  auto const refused = test_hosts::start(run.host());
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::host_not_running);
  CHECK(contains(refused.error().what(), "being stopped"));
  REQUIRE(outcome(std::move(stopping)));
  // Nobody waits for a start that was refused.
  auto const late = run.call("echo", {}, 10min);
  REQUIRE(!late);
  CHECK(late.error().code() == errc::host_not_running);
  REQUIRE(test_hosts::start(run.host()));
  CHECK(run.every_transition_was_legal());
}
