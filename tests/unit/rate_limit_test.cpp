#include <bulkhead/actors/rate_limit.hpp>
#include <bulkhead/actors/rate_limiter.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <random>
#include <utility>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

rate_limit::clock::time_point const noon{12h};

/// Whether an event passes now.
bool passes(rate_limit& limit, rate_limit::clock::time_point now) {
  if (limit.wait(now).count() > 0)
    return false;
  limit.pass(now);
  return true;
}

} // namespace

TEST_CASE("a burst passes at once, and the next event after its interval") {
  rate_limit limit{10, 3};
  for (int i = 0; i < 3; ++i)
    CHECK(passes(limit, noon));
  CHECK_FALSE(passes(limit, noon));
  CHECK(limit.wait(noon) == 100ms);
  CHECK_FALSE(passes(limit, noon + 100ms - 1ns));
  CHECK(passes(limit, noon + 100ms));
  CHECK_FALSE(passes(limit, noon + 100ms));
}

TEST_CASE("what was not used does not add up beyond the burst") {
  rate_limit limit{1000, 2};
  CHECK(passes(limit, noon));
  auto const much_later = noon + 24h;
  CHECK(passes(limit, much_later));
  CHECK(passes(limit, much_later));
  CHECK_FALSE(passes(limit, much_later));
}

TEST_CASE("over any window no more pass than the burst and the rate allow") {
  std::mt19937_64 random{20261122};
  for (auto const& [rate, burst] : {std::pair{1u, 1u}, std::pair{3u, 7u}, std::pair{100u, 100u},
                                    std::pair{7919u, 13u}, std::pair{10'000'000u, 5u}}) {
    rate_limit limit{rate, burst};
    auto now = noon;
    std::vector<rate_limit::clock::time_point> passed;
    std::uniform_int_distribution<std::int64_t> pause{0, 3'000'000'000 / rate};
    for (int i = 0; i < 3000; ++i) {
      now += std::chrono::nanoseconds{random() % 4 == 0 ? pause(random) : 0};
      if (passes(limit, now))
        passed.push_back(now);
    }
    REQUIRE(passed.size() > burst);
    for (std::size_t from = 0; from < passed.size(); from += 7)
      for (std::size_t to = from; to < passed.size(); ++to) {
        auto const window = std::chrono::duration<long double>{passed[to] - passed[from]}.count();
        if (static_cast<long double>(to - from + 1) > burst + rate * window + 1e-6L)
          FAIL(rate << "/s let " << to - from + 1 << " pass in " << window << " s");
      }
  }
}

TEST_CASE("an eager caller gets the whole rate and no less") {
  rate_limit limit{1000, 1};
  int passed = 0;
  for (auto now = noon; now < noon + 10s; now += 100us)
    passed += passes(limit, now) ? 1 : 0;
  CHECK(passed == 10'000);
}

TEST_CASE("a type's own limit holds beside the host's, and neither is used up by a refusal") {
  rate_limit_policy allowed;
  allowed.requests_per_second = 100;
  allowed.burst = 10;
  allowed.per_type = {{"fs.readFile", 2}};
  host_rate_limits limits{allowed};
  CHECK(limits.take("fs.readFile", noon).count() <= 0);
  CHECK(limits.take("fs.readFile", noon).count() <= 0);
  for (int i = 0; i < 100; ++i)
    CHECK(limits.take("fs.readFile", noon) == 500ms); // refused, and costs the others nothing
  for (int i = 0; i < 8; ++i)
    CHECK(limits.take("log", noon).count() <= 0);
  CHECK(limits.take("log", noon) == 10ms);
  CHECK(limits.take("fs.readFile", noon + 10ms) == 490ms);
  CHECK(limits.take("log", noon + 10ms).count() <= 0);
}
