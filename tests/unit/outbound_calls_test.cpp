#include <bulkhead/actors/outbound_calls.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

outbound_calls::clock::time_point const noon{12h};

outbound_calls::call sent() {
  return {"echo", nullptr, {}, {}};
}
outbound_calls::call control() {
  return {.type = "ping", .handler = nullptr, .is_control = true};
}
outbound_calls::call waiting(std::string payload) {
  return {"echo", nullptr, {}, std::move(payload)};
}

} // namespace

TEST_CASE("a call is found until it is taken, once") {
  outbound_calls calls{10};
  auto const id = calls.add(sent(), noon + 1s, noon);
  REQUIRE(calls.find(id));
  CHECK(calls.take(id));
  CHECK(!calls.take(id));
  CHECK(!calls.find(id));
  CHECK(calls.size() == 0);
}

TEST_CASE("it is full at its cap") {
  outbound_calls calls{2};
  calls.add(sent(), {}, noon);
  CHECK(!calls.is_full());
  calls.add(sent(), {}, noon);
  CHECK(calls.is_full());
}

TEST_CASE("a control request finds room beside as many calls as any policy allows") {
  outbound_calls calls{~std::size_t{0}};
  while (!calls.is_full())
    calls.add(sent(), {}, noon);
  for (std::size_t i = 0; i < outbound_calls::control_reserve; ++i)
    calls.add(control(), {}, noon);
  CHECK(calls.is_full());
}

TEST_CASE("control requests take none of the room for calls") {
  outbound_calls calls{2};
  auto const first = calls.add(control(), {}, noon);
  auto const second = calls.add(control(), {}, noon);
  CHECK(!calls.is_full());
  calls.add(sent(), {}, noon);
  calls.take(first);
  CHECK(!calls.is_full());
  calls.add(sent(), {}, noon);
  calls.take(second);
  CHECK(calls.is_full());
}

TEST_CASE("calls end at their deadlines and not before") {
  outbound_calls calls{10};
  auto const early = calls.add(sent(), noon + 1s, noon);
  calls.add(sent(), noon + 10s, noon);
  std::vector<std::uint64_t> ended;
  auto const keep = [&](std::uint64_t id, outbound_calls::call const&) { ended.push_back(id); };
  calls.expire(noon + 999ms, keep);
  CHECK(ended.empty());
  calls.expire(noon + 1s + 20ms, keep);
  CHECK(ended == std::vector{early});
  CHECK(calls.size() == 1);
}

TEST_CASE("waiting calls are sent in order, without those that ended, and give their bytes back") {
  outbound_calls calls{10};
  calls.add(waiting("1"), {}, noon);
  auto const gone = calls.add(waiting("22"), {}, noon);
  calls.add(waiting("333"), {}, noon);
  CHECK(calls.waiting_bytes() == 6);
  calls.take(gone);
  CHECK(calls.waiting_bytes() == 4);
  std::vector<std::string> order;
  auto const visit = [&](std::uint64_t, outbound_calls::call&, std::string text) {
    order.push_back(std::move(text));
  };
  calls.send_waiting(visit);
  CHECK(order == std::vector<std::string>{"1", "333"});
  CHECK(calls.waiting_bytes() == 0);
  calls.send_waiting(visit);
  CHECK(order.size() == 2);
}

TEST_CASE("calls are taken by choice") {
  outbound_calls calls{10};
  calls.add(sent(), {}, noon);
  calls.add(waiting("1"), {}, noon);
  CHECK(calls.take_if([](auto const& call) { return !call.waiting; }).size() == 1);
  CHECK(calls.size() == 1);
  CHECK(calls.waiting_bytes() == 1);
}

TEST_CASE("a late reply is expected once, and only so many are remembered") {
  outbound_calls calls{2};
  for (std::uint64_t id : {1u, 2u, 3u})
    calls.expect_late_reply(id);
  CHECK(!calls.take_late_reply(1));
  CHECK(calls.expects_late_reply(2));
  CHECK(calls.take_late_reply(2));
  CHECK(!calls.take_late_reply(2));
  calls.forget_late_replies();
  CHECK(!calls.take_late_reply(3));
}
