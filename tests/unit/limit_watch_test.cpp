#include <bulkhead/actors/resource_monitor.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <string_view>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

host_limits small_limits() {
  host_limits limits;
  limits.memory = 1000;
  limits.cpu_time = 5s;
  limits.processes = 4;
  limits.output_rate = 100;
  limits.storage = 50;
  return limits;
}

resource_usage within_limits() {
  resource_usage usage;
  usage.memory = 1000;
  usage.cpu_time = 5s;
  usage.processes = 4;
  return usage;
}

void check_breach(std::optional<limit_watch::breach> const& found, reason why,
                  std::string_view limit) {
  REQUIRE(found);
  CHECK(found->why == why);
  CHECK(found->detail.starts_with(limit));
}

} // namespace

TEST_CASE("what is used up to its limit is no breach") {
  limit_watch watch{small_limits()};
  CHECK(!watch.look(within_limits(), 1000));
  CHECK(!watch.look_at_storage(50));
}

TEST_CASE("each limit that is passed is named") {
  limit_watch watch{small_limits()};
  auto usage = within_limits();
  ++usage.memory;
  check_breach(watch.look(usage, 0), reason::out_of_memory, "limits.memory");
  usage = within_limits();
  usage.oom_kills = 1;
  check_breach(watch.look(usage, 0), reason::out_of_memory, "limits.memory");
  usage = within_limits();
  usage.cpu_time += 1us;
  check_breach(watch.look(usage, 0), reason::limit_exceeded, "limits.cpu_time");
  usage = within_limits();
  ++usage.processes;
  check_breach(watch.look(usage, 0), reason::limit_exceeded, "limits.processes");
  check_breach(watch.look_at_storage(51), reason::limit_exceeded, "limits.storage");
}

TEST_CASE("CPU time without a limit is not limited") {
  auto limits = small_limits();
  limits.cpu_time = 0s;
  auto usage = within_limits();
  usage.cpu_time = 24h;
  CHECK(!limit_watch{limits}.look(usage, 0));
}

TEST_CASE("output is a flood by its mean over ten looks") {
  limit_watch watch{small_limits()};
  // A burst of ten seconds' worth passes, and so does that rate for good.
  std::uint64_t printed = 1000;
  CHECK(!watch.look(within_limits(), printed));
  limit_watch steady{small_limits()};
  printed = 0;
  for (int i = 0; i < 100; ++i)
    CHECK(!steady.look(within_limits(), printed += 100));
  check_breach(steady.look(within_limits(), printed + 101), reason::limit_exceeded,
               "limits.output_rate");
  check_breach(limit_watch{small_limits()}.look(within_limits(), 1001), reason::limit_exceeded,
               "limits.output_rate");
}
