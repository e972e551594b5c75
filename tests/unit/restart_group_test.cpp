#include <bulkhead/actors/restart_group.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <string>

using namespace bulkhead;
using action = restart_group::action;

namespace {

/// "go 0, restart 2 because of 1".
std::string orders(restart_group& group) {
  std::string text;
  for (auto const& order : group.take_orders()) {
    constexpr std::string_view names[] = {"go", "restart", "stop", "start"};
    text += (text.empty() ? "" : ", ") + std::string{names[static_cast<int>(order.what)]} + ' ' +
            std::to_string(order.who);
    if (order.what != action::go)
      text += " because of " + std::to_string(order.because);
  }
  return text;
}

/// Three hosts that run.
restart_group running_group(restart_strategy strategy) {
  restart_group group{strategy, 3};
  for (restart_group::member i = 0; i < 3; ++i)
    group.waits(i);
  for (restart_group::member i = 0; i < 3; ++i) {
    (void)group.take_orders();
    group.is_running(i);
  }
  (void)group.take_orders();
  return group;
}

} // namespace

TEST_CASE("hosts of a group start one after the other, each once the one before runs") {
  restart_group group{restart_strategy::one_for_one, 3};
  group.waits(2);
  CHECK(orders(group) == "go 2"); // nobody before it wants to start
  group.waits(1);
  group.waits(0);
  CHECK(orders(group) == "go 0");
  CHECK(orders(group).empty());
  group.is_running(2);
  CHECK(orders(group).empty());
  group.is_running(0);
  CHECK(orders(group) == "go 1");
}

TEST_CASE("a host that crashes at its start holds up those after it where they go down with it") {
  restart_group loose{restart_strategy::one_for_one, 2};
  loose.waits(0);
  loose.waits(1);
  CHECK(orders(loose) == "go 0");
  loose.crashed(0);
  CHECK(orders(loose) == "go 1");

  restart_group bound{restart_strategy::rest_for_one, 2};
  bound.waits(0);
  bound.waits(1);
  CHECK(orders(bound) == "go 0");
  bound.crashed(0);
  CHECK(orders(bound) == "stop 1 because of 0");
}

TEST_CASE("one for one: the others are left alone, and do not delay the restart") {
  auto group = running_group(restart_strategy::one_for_one);
  group.failed(0);
  CHECK(orders(group).empty());
  group.waits(0);
  CHECK(orders(group) == "go 0");
  group.failed(1);
  group.waits(1);
  CHECK(orders(group) == "go 1"); // while 0 is still on its way
  group.crashed(0);
  CHECK(orders(group).empty());
}

TEST_CASE(
    "all for one: the others end in reverse order and start again behind the one that failed") {
  auto group = running_group(restart_strategy::all_for_one);
  group.failed(1);
  CHECK(orders(group) == "restart 2 because of 1");
  CHECK(orders(group).empty()); // one at a time
  group.waits(2);
  CHECK(orders(group) == "restart 0 because of 1");
  group.waits(0);
  CHECK(orders(group).empty()); // the one that failed still backs off
  group.waits(1);
  CHECK(orders(group) == "go 0");
  group.is_running(0);
  CHECK(orders(group) == "go 1");
  group.is_running(1);
  CHECK(orders(group) == "go 2");
}

TEST_CASE("rest for one: those before the one that failed are left alone") {
  auto group = running_group(restart_strategy::rest_for_one);
  group.failed(1);
  CHECK(orders(group) == "restart 2 because of 1");
  group.waits(2);
  CHECK(orders(group).empty());
  group.waits(1);
  CHECK(orders(group) == "go 1");
  group.is_running(1);
  CHECK(orders(group) == "go 2");
}

TEST_CASE("a host that fails while it is to be restarted anyway is restarted once") {
  auto group = running_group(restart_strategy::all_for_one);
  group.failed(0);
  CHECK(orders(group) == "restart 2 because of 0");
  group.failed(2); // it lost what it depends on, and ended before it was told to
  CHECK(orders(group) == "restart 1 because of 0");
  group.waits(1);
  group.waits(0);
  CHECK(orders(group).empty()); // 2 still backs off
  group.waits(2);
  CHECK(orders(group) == "go 0");
}

TEST_CASE("the crash of a host stops those that go down with it until it runs again") {
  auto group = running_group(restart_strategy::rest_for_one);
  group.failed(1);
  CHECK(orders(group) == "restart 2 because of 1");
  group.crashed(1);
  CHECK(orders(group) == "stop 2 because of 1");
  group.waits(1); // somebody started it
  CHECK(orders(group) == "go 1");
  group.is_running(1);
  CHECK(orders(group) == "start 2 because of 1");
  group.waits(2);
  CHECK(orders(group) == "go 2");
}

TEST_CASE("a host that somebody stopped is not started with the others") {
  auto group = running_group(restart_strategy::all_for_one);
  group.crashed(0);
  CHECK(orders(group) == "stop 2 because of 0, stop 1 because of 0");
  group.stopped(2);
  group.waits(0);
  CHECK(orders(group) == "go 0");
  group.is_running(0);
  CHECK(orders(group) == "start 1 because of 0");

  auto stopped = running_group(restart_strategy::all_for_one);
  stopped.stopped(1);
  stopped.failed(0);
  CHECK(orders(stopped) == "restart 2 because of 0");
  stopped.waits(2);
  stopped.waits(0);
  CHECK(orders(stopped) == "go 0");
  stopped.is_running(0);
  CHECK(orders(stopped) == "go 2");
}

TEST_CASE("a group that is closed starts nothing") {
  auto group = running_group(restart_strategy::all_for_one);
  group.failed(1);
  group.close();
  group.waits(1);
  CHECK(orders(group).empty());
}
