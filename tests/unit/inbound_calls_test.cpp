#include <bulkhead/actors/inbound_calls.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;

namespace {

wire::envelope request(std::string_view id, std::string_view payload = "{}") {
  wire::envelope frame{};
  frame.raw_id = frame.id = id;
  frame.raw_type = frame.type = "work";
  frame.payload = payload;
  return frame;
}

/// The requests of a host whose limit is `cap`, all admitted by whoever decides.
struct requests {
  explicit requests(std::size_t cap)
      : calls{cap} {}

  void ask(wire::envelope const& frame) { calls.add("x", 1, frame, {}); }
  void decide() { calls.admitted(calls.take_read()); }
  std::shared_ptr<inbound_call> next() { return calls.next({}); }
  std::shared_ptr<inbound_call> open(wire::envelope const& frame) {
    ask(frame);
    decide();
    auto const call = next();
    REQUIRE(calls.open(call));
    return call;
  }

  inbound_calls calls;
};

} // namespace

TEST_CASE("a host's requests count from the read until they are forgotten") {
  requests asked{1};
  asked.ask(request("1"));
  CHECK(asked.calls.is_full());
  asked.decide();
  CHECK(asked.calls.is_full());
  auto const call = asked.next();
  REQUIRE(asked.calls.open(call));
  CHECK(asked.calls.is_full());
  asked.calls.forget(*call);
  CHECK(!asked.calls.is_full());
}

TEST_CASE("a notification counts for as long as its handler has it") {
  requests asked{1};
  auto call = asked.open(request(""));
  CHECK(asked.calls.is_full());
  call.reset();
  CHECK(!asked.calls.is_full());
}

TEST_CASE("a host's requests are full of bytes before they are full of requests") {
  requests asked{1000};
  std::string const long_payload(std::size_t{16} << 20, ' ');
  for (auto const* const id : {"1", "2", "3"})
    asked.open(request(id, long_payload));
  CHECK(!asked.calls.is_full());
  auto const last = asked.open(request("4", long_payload));
  CHECK(asked.calls.is_full());
  asked.calls.forget(*last);
  CHECK(!asked.calls.is_full());
}

TEST_CASE("requests have their turns in the order in which they were asked") {
  requests asked{10};
  asked.ask(request("1"));
  asked.ask(request("2"));
  asked.decide();
  asked.ask(request("3"));
  asked.decide();
  for (auto const* const id : {"1", "2", "3"})
    CHECK(asked.next()->id() == id);
  CHECK(!asked.calls.has_admitted());
}

TEST_CASE("a second request under an open id is dropped with its bytes") {
  requests asked{1000};
  std::string const long_payload(std::size_t{16} << 20, ' ');
  asked.open(request("1"));
  for (int i = 0; i < 8; ++i) {
    asked.ask(request("1", long_payload));
    asked.decide();
    CHECK(!asked.calls.open(asked.next()));
  }
  CHECK(!asked.calls.is_full());
}

TEST_CASE("a request that was taken back while it was decided on is known as cancelled, once") {
  requests asked{10};
  asked.ask(request("1"));
  asked.calls.cancel("1");
  asked.decide();
  auto const call = asked.next();
  CHECK(asked.calls.take_early_cancel(*call));
  CHECK(!asked.calls.take_early_cancel(*call));
}

TEST_CASE("what was taken back and never asked for does not cancel a later request") {
  requests asked{10};
  asked.calls.cancel("2");
  asked.ask(request("1"));
  asked.calls.cancel("2");
  asked.decide();
  asked.next();
  asked.ask(request("2"));
  asked.decide();
  CHECK(!asked.calls.take_early_cancel(*asked.next()));
}

TEST_CASE("a cancel without an id cancels no notification") {
  requests asked{10};
  asked.ask(request(""));
  asked.calls.cancel("");
  asked.decide();
  CHECK(!asked.calls.take_early_cancel(*asked.next()));
}

TEST_CASE("nothing is left of a process that is gone but what its handlers have") {
  requests asked{2};
  auto const open = asked.open(request("1"));
  auto notified = asked.open(request(""));
  asked.ask(request("2"));
  asked.decide();
  asked.ask(request("3"));
  asked.calls.abandon_all();
  CHECK(open->is_cancelled());
  CHECK(!asked.calls.has_admitted());
  CHECK(!asked.calls.take_read());
  CHECK(!asked.calls.is_full());
  asked.ask(request("1"));
  CHECK(asked.calls.is_full()); // with the notification
  notified.reset();
  CHECK(!asked.calls.is_full());
}
