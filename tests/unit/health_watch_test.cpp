#include <bulkhead/actors/health_watch.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

using step = health_watch::step;
constexpr health_policy rules{.ping_interval = 1s, .unresponsive_after = 3s, .kill_after = 30s};
constexpr health_watch::clock::time_point begin{100s};

} // namespace

TEST_CASE("a host is asked an interval after it came up and after each answer") {
  health_watch health{rules, begin};
  CHECK(health.due() == begin + 1s);
  CHECK(health.step_at(begin + 1s) == step::ask);
  CHECK_FALSE(health.answered(begin + 1200ms));
  CHECK(health.due() == begin + 2200ms);
  CHECK(health.step_at(begin + 2200ms) == step::ask);
}

TEST_CASE("silence is told once, and then gives the host up") {
  health_watch health{rules, begin};
  REQUIRE(health.step_at(begin + 1s) == step::ask);
  CHECK(health.due() == begin + 4s);
  CHECK(health.step_at(begin + 4s) == step::tell);
  CHECK(health.silence(begin + 4s) == 3s);
  CHECK(health.due() == begin + 31s);
  CHECK(health.step_at(begin + 31s) == step::give_up);
}

TEST_CASE("an answer after the silence was told says that it was") {
  health_watch health{rules, begin};
  REQUIRE(health.step_at(begin + 1s) == step::ask);
  REQUIRE(health.step_at(begin + 4s) == step::tell);
  CHECK(health.answered(begin + 10s));
  CHECK(health.due() == begin + 11s);
  CHECK(health.step_at(begin + 11s) == step::ask);
  CHECK_FALSE(health.answered(begin + 12s));
}

TEST_CASE("a backend that stood still itself asks again before it judges") {
  health_watch health{rules, begin};
  REQUIRE(health.step_at(begin + 1s) == step::ask);
  SECTION("before the silence was told") {
    CHECK(health.step_at(begin + 60s) == step::ask);
    CHECK(health.step_at(begin + 63s) == step::tell);
  }
  SECTION("after it") {
    REQUIRE(health.step_at(begin + 4s) == step::tell);
    CHECK(health.step_at(begin + 90s) == step::ask);
    CHECK(health.due() == begin + 120s);
    CHECK(health.answered(begin + 91s));
  }
}
