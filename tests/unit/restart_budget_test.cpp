#include <bulkhead/actors/restart_budget.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

restart_policy without_jitter() {
  restart_policy what;
  what.backoff_jitter = 0;
  return what;
}

restart_budget::clock::time_point const noon{12h};

} // namespace

TEST_CASE("the backoff doubles, and the fourth failure spends the default budget") {
  restart_budget budget{without_jitter(), 1};
  CHECK(budget.on_failure(noon) == 1s);
  CHECK(budget.on_failure(noon + 1s) == 2s);
  CHECK(budget.on_failure(noon + 2s) == 4s);
  CHECK(budget.granted() == 3);
  CHECK(!budget.on_failure(noon + 3s));
  CHECK(budget.granted() == 3);
}

TEST_CASE("the backoff does not grow past its cap") {
  auto what = without_jitter();
  what.backoff_max = 3s;
  restart_budget budget{what, 1};
  budget.on_failure(noon);
  budget.on_failure(noon);
  CHECK(budget.on_failure(noon) == 3s);
}

TEST_CASE("failures older than the window are forgotten, and those inside are not") {
  auto what = without_jitter();
  what.max_restarts = 1;
  what.window = 1min;
  SECTION("just inside") {
    restart_budget budget{what, 1};
    REQUIRE(budget.on_failure(noon));
    CHECK(!budget.on_failure(noon + 59s));
  }
  SECTION("just outside") {
    restart_budget budget{what, 1};
    REQUIRE(budget.on_failure(noon));
    CHECK(budget.on_failure(noon + 60s) == 1s);
    CHECK(budget.granted() == 2);
  }
}

TEST_CASE("stable running forgets all failures, and a short run does not") {
  auto what = without_jitter();
  what.max_restarts = 1;
  restart_budget budget{what, 1};
  REQUIRE(budget.on_failure(noon));
  budget.on_running(noon + 1s);
  SECTION("long enough") {
    CHECK(budget.on_failure(noon + 6s) == 1s);
  }
  SECTION("too short") {
    CHECK(!budget.on_failure(noon + 5s));
  }
}

TEST_CASE("a reset begins anew") {
  auto what = without_jitter();
  what.max_restarts = 1;
  restart_budget budget{what, 1};
  REQUIRE(budget.on_failure(noon));
  budget.reset();
  CHECK(budget.granted() == 0);
  CHECK(budget.on_failure(noon) == 1s);
}

TEST_CASE("a budget of nothing grants nothing") {
  auto what = without_jitter();
  what.max_restarts = 0;
  CHECK(!restart_budget{what, 1}.on_failure(noon));
}

TEST_CASE("the jitter stays in its bounds and differs from host to host") {
  restart_policy const what; // 10 %
  auto shortest = 10s + 0ms;
  auto longest = 0ms;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto const wait = restart_budget{what, seed}.on_failure(noon).value();
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  CHECK(shortest >= 900ms);
  CHECK(shortest < 950ms);
  CHECK(longest <= 1100ms);
  CHECK(longest > 1050ms);
}
