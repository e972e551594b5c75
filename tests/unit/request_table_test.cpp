#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/messages/request_table.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::wire;
using namespace std::chrono_literals;

namespace {

using table = request_table<int>;
using time_point = table::time_point;

/// An ordinary moment, not on a tick.
constexpr time_point start{123'456'789'123'456ns};

/// The ids that expire by `now`.
template <class T>
std::vector<std::uint64_t> expired(request_table<T>& open, time_point now) {
  std::vector<std::uint64_t> ids;
  open.expire(now, [&](std::uint64_t id, T&&) { ids.push_back(id); });
  return ids;
}

} // namespace

TEST_CASE("a request is found and taken once by its id") {
  table open;
  auto const id = open.insert(7, start + 1s, start);
  REQUIRE(id);
  REQUIRE(open.find(*id));
  CHECK(*open.find(*id) == 7);
  *open.find(*id) = 8;
  CHECK(open.size() == 1);
  CHECK(open.take(*id) == 8);
  CHECK(open.empty());
  CHECK(open.take(*id) == std::nullopt);
  CHECK(open.find(*id) == nullptr);
}

TEST_CASE("ids are never given twice and a stale or invented one matches nothing") {
  table open;
  std::set<std::uint64_t> used;
  for (int i = 0; i < 1000; ++i) {
    auto const id = *open.insert(i, {}, start);
    REQUIRE(used.insert(id).second);
    REQUIRE(open.take(id) == i);
    auto const next = *open.insert(i, {}, start);
    REQUIRE(used.insert(next).second);
    for (auto const wrong : std::initializer_list<std::uint64_t>{
             id, next + 1, next + table::max_size, next ^ (1ull << 63), 0, ~std::uint64_t{0}}) {
      REQUIRE(open.find(wrong) == nullptr);
      REQUIRE(open.take(wrong) == std::nullopt);
    }
    if (i % 3 != 0)
      REQUIRE(open.take(next) == i);
  }
}

TEST_CASE("no deadline fires early and none later than a tick") {
  for (auto const after :
       {0ns, 1ns, 1'000'000ns, 7'999'999ns, 8'000'000ns, 8'000'001ns, 511'000'000ns, 512'000'000ns,
        513'000'000ns, 30'000'000'000ns, 40'000'000'000ns, 3'600'000'000'000ns,
        90'000'000'000'000ns, 31'536'000'000'000'000ns}) {
    INFO(after.count());
    table open;
    auto const due = start + after;
    auto const id = *open.insert(1, due, start);
    CHECK(expired(open, due - 1ns).empty());
    CHECK(expired(open, due + table::tick) == std::vector{id});
    CHECK(open.empty());
  }
}

TEST_CASE(
    "a timer set to next_wake wakes a bounded number of times and ends every request in time") {
  for (auto const after : {3ms, 100ms, 1000ms, 30'000ms, 600'000ms, 86'400'000ms}) {
    INFO(after.count());
    table open;
    auto const due = start + after;
    (void)open.insert(1, due, start);
    int wakes = 0;
    for (auto wake = open.next_wake(); wake; wake = open.next_wake(), ++wakes) {
      REQUIRE(wakes < 7);
      REQUIRE(*wake <= due + table::tick);
      auto const ended = expired(open, *wake);
      REQUIRE((ended.empty() || *wake >= due));
    }
    CHECK(open.empty());
  }
}

TEST_CASE("the next wake of a near deadline is its own tick, also after a long idle time") {
  table open;
  auto const early = *open.insert(1, start + 100ms, start);
  REQUIRE(open.take(early));
  auto const later = start + 5h;
  (void)open.insert(1, later + 30ms, later);
  REQUIRE(open.next_wake());
  CHECK(*open.next_wake() >= later + 30ms);
  CHECK(*open.next_wake() < later + 30ms + table::tick);
}

TEST_CASE("a shorter deadline brings the next wake forward") {
  table open;
  (void)open.insert(1, start + 30s, start);
  auto const far = *open.next_wake();
  auto const near = *open.insert(2, start + 50ms, start + 1ms);
  CHECK(*open.next_wake() < far);
  CHECK(*open.next_wake() >= start + 50ms);
  REQUIRE(open.take(near));
  CHECK(*open.next_wake() == far);
}

TEST_CASE("a request without a deadline never expires and sets no timer") {
  table open;
  auto const id = *open.insert(1, deadline{}, start);
  CHECK_FALSE(open.next_wake());
  CHECK(expired(open, start + 24h * 365 * 100).empty());
  CHECK(open.find(id) != nullptr);
  // As good as never.
  (void)open.insert(2, time_point::max() - 1ns, start);
  REQUIRE(open.next_wake());
  CHECK(expired(open, start + 24h * 365 * 100).empty());
}

TEST_CASE("a deadline that has passed is due at the next expire") {
  table open;
  CHECK(expired(open, start).empty());
  auto const id = *open.insert(1, start - 1h, start);
  REQUIRE(open.next_wake());
  CHECK(*open.next_wake() <= start);
  CHECK(expired(open, start) == std::vector{id});
}

TEST_CASE("requests expire in the order of their deadlines") {
  table open;
  std::vector<std::uint64_t> expected;
  for (std::chrono::milliseconds const after :
       std::initializer_list<std::chrono::milliseconds>{5s, 1s, 100s, 20ms, 3s, 2h}) {
    auto const id = *open.insert(1, start + after, start);
    expected.push_back(id);
  }
  std::vector const order{expected[3], expected[1], expected[4],
                          expected[0], expected[2], expected[5]};
  CHECK(expired(open, start + 3h) == order);
}

TEST_CASE("what expires may insert and take") {
  table open;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i)
    ids.push_back(*open.insert(i, start + 10ms, start));
  int calls = 0;
  auto const now = start + 1s;
  open.expire(now, [&](std::uint64_t id, int&& value) {
    ++calls;
    CHECK(id == ids[static_cast<std::size_t>(value)]);
    CHECK(open.find(id) == nullptr);
    if (value % 2 == 0)
      CHECK(open.take(ids[static_cast<std::size_t>(value + 1)]) == value + 1); // is due itself
    CHECK(open.insert(100, now - 5s, now)); // due, but for the next call
  });
  CHECK(calls == 5);
  CHECK(open.size() == 5);
  CHECK(expired(open, now + table::tick).size() == 5);
}

TEST_CASE("an expire within an expire ends each request once") {
  table open;
  std::multiset<int> ended;
  for (int i = 0; i < 10; ++i)
    (void)open.insert(i, start + 10ms, start);
  open.expire(start + 1s, [&](std::uint64_t, int&& value) {
    ended.insert(value);
    if (value == 3)
      open.expire(start + 1s, [&](std::uint64_t, int&& inner) { ended.insert(inner); });
  });
  CHECK(ended == std::multiset<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("all requests can be ended while their handlers open new ones") {
  request_table<std::unique_ptr<int>> open;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 200; ++i)
    ids.insert(*open.insert(std::make_unique<int>(i), i % 2 ? deadline{} : start + 1s, start));
  std::set<std::uint64_t> ended;
  std::set<int> values;
  open.take_all([&](std::uint64_t id, std::unique_ptr<int>&& value) {
    CHECK(open.find(id) == nullptr);
    CHECK(open.take(id) == std::nullopt);
    ended.insert(id);
    values.insert(*value);
    auto const fresh = open.insert(std::make_unique<int>(-1), start + 2s, start);
    CHECK(ids.count(*fresh) == 0);
  });
  CHECK(ended == ids);
  CHECK(values.size() == 200);
  CHECK(open.size() == 200);
  CHECK(expired(open, start + 3s).size() == 200);
  open.take_all([](std::uint64_t, std::unique_ptr<int>&&) { FAIL("it was empty"); });
}

TEST_CASE("an emptied table gives its memory back and its ids stay unique") {
  table open;
  std::set<std::uint64_t> used;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 5000; ++i) {
      ids.push_back(*open.insert(i, start + 1s, start));
      REQUIRE(used.insert(ids.back()).second);
    }
    auto const full = open.held_bytes();
    for (auto const id : ids)
      REQUIRE(open.take(id));
    CHECK(open.held_bytes() < full / 50);
    for (auto const id : ids)
      REQUIRE(open.find(id) == nullptr);
  }
}

TEST_CASE("a full table takes no more") {
  request_table<char> open;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < table::max_size; ++i)
    last = open.insert('x', {}, start).value_or(0);
  REQUIRE(last != 0);
  CHECK(open.size() == table::max_size);
  CHECK_FALSE(open.insert('y', {}, start));
  REQUIRE(open.take(last));
  auto const again = open.insert('z', {}, start);
  REQUIRE(again);
  CHECK(*again != last);
}

TEST_CASE("a table and a naive model agree through random operations") {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  struct entry {
    int value;
    deadline due;
  };
  for (int round = 0; round < 30; ++round) {
    table open;
    std::map<std::uint64_t, entry> model;
    std::vector<std::uint64_t> given;
    auto now =
        time_point{std::chrono::nanoseconds{static_cast<std::int64_t>(random() % (1ull << 58))}};
    for (int step = 0; step < 1000; ++step) {
      auto const roll = random() % 10;
      if (roll < 5) {
        auto const spread = std::uint64_t{1} << random() % 50;
        auto const away = std::chrono::nanoseconds{static_cast<std::int64_t>(random() % spread)};
        auto const due = random() % 10 == 0   ? deadline{}
                         : random() % 10 == 0 ? deadline{now - away % 1s}
                                              : deadline{now + away};
        auto const id = open.insert(step, due, now);
        REQUIRE(id);
        REQUIRE(model.emplace(*id, entry{step, due}).second);
        given.push_back(*id);
      } else if (roll < 8 && !given.empty()) {
        auto const id = given[random() % given.size()];
        auto const known = model.find(id);
        auto const* found = open.find(id);
        REQUIRE((found != nullptr) == (known != model.end()));
        auto const taken = open.take(id);
        REQUIRE(taken.has_value() == (known != model.end()));
        if (taken) {
          REQUIRE(*taken == known->second.value);
          model.erase(known);
        }
      } else {
        auto const spread = std::uint64_t{1} << random() % 48;
        now += std::chrono::nanoseconds{static_cast<std::int64_t>(random() % spread)};
        open.expire(now, [&](std::uint64_t id, int&& value) {
          auto const known = model.find(id);
          REQUIRE(known != model.end());
          REQUIRE(known->second.value == value);
          REQUIRE(known->second.due.has_passed(now));
          model.erase(known);
        });
        for (auto const& [id, waiting] : model)
          REQUIRE_FALSE(waiting.due.has_passed(now - table::tick));
      }
      REQUIRE(open.size() == model.size());
      auto const earliest =
          std::ranges::min_element(model, {}, [](auto const& e) { return e.second.due; });
      auto const pending = earliest != model.end() && !earliest->second.due.is_never();
      auto const wake = open.next_wake();
      REQUIRE(wake.has_value() == pending);
      if (pending)
        REQUIRE(*wake <= std::max(earliest->second.due.when(), now) + table::tick);
    }
    std::size_t left = 0;
    open.take_all([&](std::uint64_t id, int&&) { left += model.count(id); });
    REQUIRE(left == model.size());
    REQUIRE(open.empty());
    REQUIRE_FALSE(open.next_wake());
  }
}
