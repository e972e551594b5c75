// Processes that are kept ready: who gets them, and what becomes of them.

#include "warm_hosts.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <signal.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using namespace warm_hosts;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::start;
using test_hosts::stop;
namespace disk = std::filesystem;

namespace {

std::ptrdiff_t open_descriptors() {
  return std::distance(disk::directory_iterator{"/proc/self/fd"}, {});
}

} // namespace

TEST_CASE("a start takes a ready process, which serves like any other") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  auto const spare = next_spare(run, spares);
  CHECK(run.host().status().spares == 1);
  CHECK(run.host().status().state == host_state::Stopped);
  CHECK(run.host().status().pid == 0);

  REQUIRE(start(run.host()));
  CHECK(told(run, "echo", {"hello", 7}) == json{"hello", 7});
  auto const now = run.host().status();
  CHECK(now.pid == spare);
  CHECK(now.warm_starts == 1);
  CHECK(now.cold_starts == 0);
  CHECK(now.start.warm);
  CHECK(is_told(run, host_event_kind::activated, "from a ready process, in "));
  CHECK(run.path_of("echo") == "Stopped Starting Running");
  CHECK(told(run, "environment") == json{{"GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"}});
  REQUIRE(stop(run.host()));
  CHECK(!is_alive(spare));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a process that was taken is replaced, and never used again") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    auto const spare = next_spare(run, spares);
    REQUIRE(start(run.host()));
    CHECK(run.host().status().pid == spare);
    CHECK(run.host().status().warm_starts == round);
    REQUIRE(stop(run.host()));
    CHECK(!is_alive(spare));
  }
}

TEST_CASE("a host that fails is started again from a ready process") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  auto const first = next_spare(run, spares);
  REQUIRE(start(run.host()));
  auto const second = next_spare(run, spares);
  CHECK(run.host().status().pid == first);
  CHECK(told(run, "exit", {3}).as_object().contains("lost"));
  REQUIRE(run.wait_for("echo", host_state::Running, after_restarts(1)));
  CHECK(run.host().status().pid == second);
  CHECK(run.host().status().warm_starts == 2);
  CHECK(told(run, "echo", {1}) == json{1});
}

TEST_CASE("what a taken process does counts as any process's") {
  auto host = warm(test_hosts::echo_extension());
  host.restart.max_restarts = 0;
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  next_spare(run, spares);
  REQUIRE(start(run.host()));
  CHECK(told(run, "print", {"one line\n"}) == json(nullptr));
  CHECK(run.wait_for_log("stdout: one line"));
  CHECK(told(run, "crash").as_object().contains("lost"));
  auto const ended = run.wait_for_entry("echo", host_state::Unhealthy);
  REQUIRE(ended);
  CHECK(ended->why == reason::signal);
  CHECK(run.wait_for("echo", host_state::Crashed));
}

TEST_CASE("without a ready process a host starts as ever, and one is made once it serves") {
  auto host = warm(test_hosts::echo_extension());
  host.autostart = true;
  harness run{only(host)};
  REQUIRE(run.start());
  CHECK(run.host().status().cold_starts == 1);
  CHECK(run.host().status().warm_starts == 0);
  CHECK(!run.host().status().start.warm);
  std::set<int> spares;
  CHECK(next_spare(run, spares) != run.host().status().pid);
  auto const events = run.events("echo");
  auto const at = [&](host_event_kind kind) {
    return std::ranges::find(events, kind, &host_event::kind) - events.begin();
  };
  CHECK(at(host_event_kind::activated) < at(host_event_kind::spare_ready));
}

TEST_CASE("no process is kept ready unless the policy says so") {
  CHECK(host_policy{}.start.warm == 0);
  auto idle = test_hosts::echo_extension("idle");
  idle.autostart = false;
  harness run{policy_of({idle, warm(test_hosts::echo_extension("warm"))})};
  run->start();
  std::set<int> spares;
  next_spare(run, spares);
  REQUIRE(start(run.host("idle")));
  CHECK(run.host("idle").status().cold_starts == 1);
  CHECK(run.host("idle").status().spares == 0);
  CHECK(run.host("warm").status().spares == 1);
  REQUIRE(stop(run.host("idle")));
  for (auto const& event : run.events("idle"))
    CHECK(event.kind != host_event_kind::spare_ready);
}

TEST_CASE("a ready process is no host: it gets no request") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  auto const spare = next_spare(run, spares);
  auto const refused = outcome(run.host().async_command("echo", {1}, use_future));
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::host_not_running);
  CHECK(is_alive(spare));
}

TEST_CASE("a ready process that ends is counted, told and replaced") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  auto const first = next_spare(run, spares);
  REQUIRE(::kill(first, SIGKILL) == 0);
  CHECK(is_told(run, host_event_kind::spare_lost, "signal SIGKILL; the next is made in "));
  CHECK(run.host().status().spares_lost == 1);
  auto const second = next_spare(run, spares);
  CHECK(run.host().status().spares == 1);
  REQUIRE(start(run.host()));
  CHECK(run.host().status().pid == second);
  CHECK(run.host().status().restarts == 0);
  CHECK(run.path_of("echo") == "Stopped Starting Running");
}

TEST_CASE("a ready process that ends while it is taken costs its host a restart at the most") {
  auto host = warm(test_hosts::echo_extension());
  host.restart.max_restarts = 100;
  host.restart.backoff_initial = 1ms;
  host.restart.backoff_max = 1ms;
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  for (int round = 0; round < 5; ++round) {
    auto const spare = next_spare(run, spares);
    auto const lost_before = run.host().status().spares_lost;
    REQUIRE(::kill(spare, SIGKILL) == 0);
    REQUIRE(start(run.host()));
    CHECK(comes_true([&] { return told(run, "echo", {round}) == json{round}; }));
    auto const now = run.host().status();
    CHECK(now.pid != spare);
    CHECK(now.restarts + now.spares_lost - lost_before == 1);
    REQUIRE(stop(run.host()));
    CHECK(!is_alive(spare));
  }
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a host that is stopped while it takes a ready process leaves none behind") {
  harness run{only(warm(test_hosts::echo_extension()))};
  run->start();
  std::set<int> spares;
  for (int round = 0; round < 3; ++round) {
    auto const spare = next_spare(run, spares);
    auto starting = run.host().async_start(use_future);
    REQUIRE(stop(run.host()));
    (void)outcome(std::move(starting)); // on a busy machine it runs before it is stopped
    CHECK(!is_alive(spare));
    CHECK(run.host().status().state == host_state::Stopped);
    CHECK(run.host().status().pid == 0);
  }
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a host that ran before its runtime was started gets its ready process all the same") {
  auto host = warm(test_hosts::echo_extension());
  host.autostart = true;
  harness run{only(host)};
  REQUIRE(start(run.host()));
  REQUIRE(is_told(run, host_event_kind::activated, "in "));
  run->start();
  std::set<int> spares;
  next_spare(run, spares);
}

TEST_CASE("a host that is stopped before its turn in a group gets its ready process all the same") {
  auto slow = test_hosts::raw_host({"pause"}, "slow");
  slow.start_timeout = patience;
  auto host = warm(test_hosts::echo_extension());
  host.autostart = true;
  auto what = policy_of({slow, host});
  what.groups.push_back({"pair", {"slow", "echo"}, restart_strategy::one_for_one});
  harness run{what};
  run->start();
  REQUIRE(run.wait_for("slow", host_state::Starting));
  REQUIRE(run.wait_for("echo", host_state::Starting));
  REQUIRE(stop(run.host("echo")));
  std::set<int> spares;
  next_spare(run, spares);
}

TEST_CASE("starts from ready processes leave no descriptor behind") {
  auto host = warm(node_host("contained", test_hosts::folder / "extensions/contained"));
  host.sandbox.require = GENERATE(sandbox_tier::none, sandbox_tier::strong);
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  auto const take_one = [&] {
    REQUIRE(start(run.host()));
    REQUIRE(stop(run.host()));
    next_spare(run, spares);
  };
  next_spare(run, spares);
  take_one(); // what is opened once is open now
  auto const before = open_descriptors();
  for (int round = 0; round < 3; ++round)
    take_one();
  CHECK(run.host().status().warm_starts == 4);
  CHECK(comes_true([&] { return open_descriptors() <= before; }));
}

TEST_CASE("ready processes that keep ending spend the host's budget, which a good start renews") {
  auto host = warm(test_hosts::echo_extension());
  host.restart.max_restarts = 0;
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  REQUIRE(::kill(next_spare(run, spares), SIGKILL) == 0);
  CHECK(is_told(run, host_event_kind::spare_lost, "no more is made until a start of the host"));
  CHECK(run.host().status().spares == 0);
  REQUIRE(start(run.host()));
  CHECK(run.host().status().cold_starts == 1);
  next_spare(run, spares);
}

TEST_CASE("a ready process that can't be made is told, and a start says the same") {
  auto host = warm(node_host("gone", test_hosts::folder / "extensions/no-such-folder"));
  harness run{only(host)};
  run->start();
  CHECK(is_told(run, host_event_kind::spare_lost, "it could not be made: "));
  CHECK(!start(run.host()));
  CHECK(run.host().status().state == host_state::Crashed);
}

TEST_CASE("a process that is not ready in time is none") {
  auto host = warm(test_hosts::echo_extension());
  host.start_timeout = 1ms;
  host.restart.max_restarts = 0;
  harness run{only(host)};
  run->start();
  CHECK(is_told(run, host_event_kind::spare_lost, "it was not ready within 1ms"));
}

TEST_CASE("there are never more ready processes than the runtime's limit") {
  auto one = warm(test_hosts::echo_extension("one"), 2);
  auto other = warm(test_hosts::echo_extension("other"), 2);
  other.environment = {{"WHO", "other"}};
  auto what = policy_of({one, other});
  what.warm_limit = 3;
  harness run{what};
  run->start();
  CHECK(run.wait_for_log("more ready processes than runtime.warm_limit, 3"));
  CHECK(run.host("one").status().spares + run.host("other").status().spares == 3);
}

TEST_CASE("hosts whose launch is the same share what is ready, and others do not") {
  auto third = warm(test_hosts::echo_extension("third"));
  third.limits.open_files = 100;
  harness run{policy_of({warm(test_hosts::echo_extension("first")),
                         warm(test_hosts::echo_extension("second")), third})};
  run->start();
  std::set<int> spares;
  auto const shared = next_spare(run, spares, "first");
  auto const own = next_spare(run, spares, "third");
  CHECK(run.host("first").status().spares == 1);
  CHECK(run.host("second").status().spares == 1);
  REQUIRE(start(run.host("second")));
  CHECK(run.host("second").status().pid == shared);
  REQUIRE(start(run.host("third")));
  CHECK(run.host("third").status().pid == own);
}

TEST_CASE("the end of the runtime is that of its ready processes") {
  std::set<int> spares;
  SECTION("in order") {
    harness run{only(warm(test_hosts::echo_extension(), 2))};
    run->start();
    next_spare(run, spares);
    next_spare(run, spares);
    REQUIRE(outcome(run->async_shutdown(use_future)));
    for (auto const pid : spares)
      CHECK(!is_alive(pid));
    CHECK(run.host().status().spares == 0);
    CHECK(run.critical_lines().empty());
  }
  SECTION("while one is made") {
    harness run{only(warm(test_hosts::echo_extension(), 2))};
    run->start();
    next_spare(run, spares);
    REQUIRE(outcome(run->async_shutdown(use_future)));
    for (auto const pid : spares)
      CHECK(!is_alive(pid));
  }
  SECTION("at once") {
    harness run{only(warm(test_hosts::echo_extension(), 2))};
    run->start();
    next_spare(run, spares);
    run.destroy();
    for (auto const pid : spares)
      CHECK(!is_alive(pid));
  }
}
