#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/start_times.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

start_times cold() {
  start_times times;
  times.prepared = 1700us;
  times.created = 2300us;
  times.staged = 3300us;
  times.contained = 9100us;
  times.executed = 10000us;
  times.loaded = 77900us;
  times.ready = 78000us;
  times.activated = 81000us;
  return times;
}

} // namespace

TEST_CASE("the phases of a start are what each step took after the one before") {
  start_phases expected;
  expected.prepare = 1700us;
  expected.spawn = 600us;
  expected.sandbox = 7700us;
  expected.runtime = 67900us;
  expected.handshake = 100us;
  expected.activate = 3000us;
  CHECK(phases_of(cold()) == expected);
}

TEST_CASE("a step that there was not takes no time from the next one") {
  auto plain = cold();
  plain.staged = plain.contained = plain.executed = 0us;
  CHECK(phases_of(plain).sandbox == 0us);
  CHECK(phases_of(plain).runtime == 75600us);

  start_times warm;
  warm.warm = true;
  warm.prepared = 400us;
  warm.ready = 500us;
  warm.activated = 1900us;
  CHECK(phases_of(warm).spawn == 0us);
  CHECK(phases_of(warm).runtime == 0us);
  CHECK(phases_of(warm).handshake == 100us);
  CHECK(to_string(phases_of(warm)) == "1.9 ms: prepare 0.4, handshake 0.1, activate 1.4");
}

TEST_CASE("phases are told in milliseconds, and as JSON in microseconds") {
  CHECK(to_string(phases_of(cold())) == "81.0 ms: prepare 1.7, spawn 0.6, sandbox 7.7, "
                                        "runtime 67.9, handshake 0.1, activate 3.0");
  auto const told = to_json(cold());
  CHECK(told.at("warm") == false);
  CHECK(told.at("executed_us") == 10000);
  CHECK(told.at("loaded_us") == 77900);
  CHECK(told.at("activated_us") == 81000);
  CHECK(told.at("phases").at("sandbox_us") == 7700);
  CHECK(told.at("phases").as_object().size() == 6);
}
