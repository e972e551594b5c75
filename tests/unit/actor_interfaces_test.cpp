#include <bulkhead/actors/typed_actors.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include <chrono>
#include <vector>

using namespace bulkhead;

namespace {

/// What is left of a value that was sent to another node.
template <class T>
T travelled(T value) {
  caf::actor_system_config config;
  add_message_types(config);
  caf::actor_system system{config};
  std::vector<char> bytes;
  caf::binary_serializer out{system, bytes};
  REQUIRE_FALSE(out(value));
  T arrived;
  caf::binary_deserializer in{system, bytes};
  REQUIRE_FALSE(in(arrived));
  return arrived;
}

} // namespace

TEST_CASE("an event arrives at another node as it was sent") {
  host_event event;
  event.kind = host_event_kind::activation_failed;
  event.host = "formatter";
  event.from = host_state::Running;
  event.to = host_state::Unhealthy;
  event.why = reason::exit_code;
  event.detail = "exit code 3";
  event.pid = 17;
  event.restarts = 2;
  event.when = std::chrono::system_clock::time_point{std::chrono::milliseconds{1'700'000'000'123}};
  auto const arrived = travelled(event);
  CHECK(arrived.kind == event.kind);
  CHECK(arrived.host == event.host);
  CHECK(arrived.from == event.from);
  CHECK(arrived.to == event.to);
  CHECK(arrived.why == event.why);
  CHECK(arrived.detail == event.detail);
  CHECK(arrived.pid == event.pid);
  CHECK(arrived.restarts == event.restarts);
  CHECK(arrived.when == event.when);
}

TEST_CASE("a status arrives at another node as it was sent") {
  host_status status;
  status.host = "formatter";
  status.state = host_state::Crashed;
  status.why = reason::restart_budget_spent;
  status.detail = "three restarts in five minutes";
  status.pid = 17;
  status.restarts = 3;
  status.running_since =
      std::chrono::system_clock::time_point{std::chrono::milliseconds{1'700'000'000'123}};
  status.requests = 1'000'000'000'000;
  status.failed = 4;
  status.received = 5;
  status.denied = 6;
  status.violations = 3;
  status.last_end = reason::signal;
  status.last_end_detail = "signal 11";
  status.start.warm = true;
  status.start.activated = std::chrono::microseconds{1900};
  status.spares = 2;
  status.warm_starts = 7;
  status.cold_starts = 8;
  status.spares_lost = 9;
  status.code_cached = 10;
  status.commands = {"format", "lint"};
  status.last_lines = {"one", "two"};
  auto const arrived = travelled(status);
  CHECK(arrived.host == status.host);
  CHECK(arrived.state == status.state);
  CHECK(arrived.why == status.why);
  CHECK(arrived.detail == status.detail);
  CHECK(arrived.pid == status.pid);
  CHECK(arrived.restarts == status.restarts);
  CHECK(arrived.running_since == status.running_since);
  CHECK(arrived.requests == status.requests);
  CHECK(arrived.failed == status.failed);
  CHECK(arrived.received == status.received);
  CHECK(arrived.denied == status.denied);
  CHECK(arrived.violations == status.violations);
  CHECK(arrived.last_end == status.last_end);
  CHECK(arrived.last_end_detail == status.last_end_detail);
  CHECK(arrived.start == status.start);
  CHECK(arrived.spares == status.spares);
  CHECK(arrived.warm_starts == status.warm_starts);
  CHECK(arrived.cold_starts == status.cold_starts);
  CHECK(arrived.spares_lost == status.spares_lost);
  CHECK(arrived.code_cached == status.code_cached);
  CHECK(arrived.commands == status.commands);
  CHECK(arrived.last_lines == status.last_lines);
}

TEST_CASE("a signal to a supervisor arrives at another node as it was sent") {
  host_signal signal;
  signal.what = host_signal::kind::violation;
  signal.generation = 9;
  signal.why = reason::protocol_violation;
  signal.code = 4308;
  signal.detail = "a key twice";
  auto const arrived = travelled(signal);
  CHECK(arrived.what == signal.what);
  CHECK(arrived.generation == signal.generation);
  CHECK(arrived.why == signal.why);
  CHECK(arrived.code == signal.code);
  CHECK(arrived.detail == signal.detail);
}
