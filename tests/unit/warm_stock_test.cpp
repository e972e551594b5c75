#include <bulkhead/actors/warm_stock.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

warm_stock::clock::time_point const noon{12h};

/// The launch of a program of that name.
launch_profile_ptr launch_of(std::string program) {
  launch_profile made;
  made.what.process.program = std::move(program);
  return std::make_shared<launch_profile const>(std::move(made));
}

host_policy wanting(std::string id, std::uint32_t warm) {
  host_policy host;
  host.id = std::move(id);
  host.start.warm = warm;
  host.restart.backoff_jitter = 0;
  return host;
}

/// With hosts that want so many each, and nothing in their way.
warm_stock stock_of(std::initializer_list<std::pair<std::string, std::uint32_t>> hosts,
                    std::size_t limit = 100) {
  warm_stock stock{limit};
  for (auto const& [id, warm] : hosts)
    stock.add_host(wanting(id, warm), false, 1);
  return stock;
}

warm_stock::spare_id make(warm_stock& stock, std::string const& host,
                          launch_profile_ptr const& launch,
                          warm_stock::clock::time_point now = noon) {
  REQUIRE(stock.wants(host, launch));
  auto const id = stock.add(host, launch);
  stock.is_ready(id, now);
  return id;
}

} // namespace

TEST_CASE("a spare is given once, to a host of its launch, and the oldest first") {
  auto stock = stock_of({{"x", 2}});
  auto const launch = launch_of("/node");
  CHECK(stock.next(noon) == "x");
  auto const first = make(stock, "x", launch);
  auto const second = make(stock, "x", launch);
  CHECK(!stock.next(noon));
  CHECK(stock.ready_for("x") == 2);
  CHECK(stock.take("x", launch_of("/node")) == first); // equal, not identical
  CHECK(stock.ready_for("x") == 1);
  CHECK(stock.take("x", launch) == second);
  CHECK(!stock.take("x", launch));
}

TEST_CASE("a spare that is not ready yet is given to nobody, and counts as wanted") {
  auto stock = stock_of({{"x", 1}});
  auto const launch = launch_of("/node");
  REQUIRE(stock.wants("x", launch));
  auto const id = stock.add("x", launch);
  CHECK(stock.is_being_made(id));
  CHECK(!stock.wants("x", launch));
  CHECK(!stock.take("x", launch));
  stock.is_ready(id, noon);
  CHECK(!stock.is_being_made(id));
  CHECK(stock.take("x", launch) == id);
}

TEST_CASE("hosts of one launch share their spares, as many as the one that wants most") {
  auto stock = stock_of({{"x", 1}, {"y", 2}});
  make(stock, "x", launch_of("/node"));
  CHECK(stock.next(noon) == "y");
  make(stock, "y", launch_of("/node"));
  CHECK(!stock.next(noon));
  CHECK(stock.ready_for("x") == 2);
  CHECK(stock.ready_for("y") == 2);
  CHECK(stock.take("x", launch_of("/node")));
  CHECK(stock.ready_for("y") == 1);
  CHECK(stock.next(noon) == "y");
}

TEST_CASE("none is made for a host that is on its way up, until it has settled") {
  auto stock = stock_of({{"x", 1}});
  auto const launch = launch_of("/node");
  make(stock, "x", launch);
  REQUIRE(stock.take("x", launch));
  CHECK(!stock.next(noon));
  stock.settle("x", true);
  CHECK(stock.next(noon) == "x");

  warm_stock other{100};
  other.add_host(wanting("starting", 1), true, 1);
  CHECK(!other.next(noon));
  other.settle("starting", false);
  CHECK(other.next(noon) == "starting");
}

TEST_CASE("hosts have their turns, and never more spares than the limit") {
  auto stock = stock_of({{"x", 3}, {"y", 3}}, 3);
  CHECK(stock.next(noon) == "x");
  make(stock, "x", launch_of("/a"));
  CHECK(stock.next(noon) == "y");
  make(stock, "y", launch_of("/b"));
  CHECK(stock.next(noon) == "x");
  CHECK(!stock.is_short());
  make(stock, "x", launch_of("/a"));
  CHECK(!stock.next(noon));
  CHECK(!stock.wants("y", launch_of("/b")));
  CHECK(stock.is_short());
}

TEST_CASE("a spare of a launch that no host has any more is not wanted") {
  auto stock = stock_of({{"x", 1}, {"y", 1}});
  auto const kept = make(stock, "x", launch_of("/old"));
  auto const other = make(stock, "y", launch_of("/other"));
  CHECK(stock.take_unwanted().empty());
  CHECK(!stock.take("x", launch_of("/new")));
  CHECK(stock.take_unwanted() == std::vector{kept});
  CHECK(stock.host_of(kept).empty());
  CHECK(stock.host_of(other) == "y");
  CHECK(!stock.wants("y", launch_of("/other")));
}

TEST_CASE("launches that are in doubt are looked up again, whatever is there") {
  auto stock = stock_of({{"x", 1}}, 1);
  auto const launch = launch_of("/node");
  auto const id = make(stock, "x", launch);
  stock.doubt_launches();
  CHECK(stock.next(noon) == "x");
  CHECK(stock.take_unwanted().empty());
  CHECK(!stock.wants("x", launch_of("/node"))); // the same, after all
  CHECK(!stock.next(noon));
  stock.doubt_launches();
  CHECK(!stock.wants("x", launch_of("/other")));
  CHECK(stock.take_unwanted() == std::vector{id});
  CHECK(stock.next(noon) == "x");
}

TEST_CASE("doubts that come while a launch is looked up, or a start goes by it, hold") {
  auto stock = stock_of({{"x", 1}}, 2);
  REQUIRE(stock.next(noon) == "x"); // whose launch is looked up from here on
  stock.doubt_launches();
  auto const id = make(stock, "x", launch_of("/old"));
  CHECK(stock.next(noon) == "x");
  CHECK(stock.wants("x", launch_of("/new")));
  CHECK(stock.take_unwanted() == std::vector{id});

  make(stock, "x", launch_of("/new"));
  stock.doubt_launches();
  CHECK(stock.take("x", launch_of("/new"))); // looked up before the doubt, for all that is known
  stock.settle("x", true);
  make(stock, "x", launch_of("/new"));
  CHECK(stock.next(noon) == "x");
  CHECK(!stock.wants("x", launch_of("/new")));
  CHECK(!stock.next(noon));

  stock.doubt_launches();
  REQUIRE(stock.next(noon) == "x");
  stock.doubt_launches();
  CHECK(!stock.failed("x", noon, false));
  CHECK(stock.next(noon) == "x"); // what failed was the launch of before
}

TEST_CASE("spares that fail wait out a backoff, and end with the budget until a start goes well") {
  auto stock = stock_of({{"x", 1}});
  auto const launch = launch_of("/node");
  auto now = noon;
  for (auto const wait : {1s, 2s, 4s}) {
    auto const id = make(stock, "x", launch, now);
    CHECK(stock.lost(id, now) == wait);
    CHECK(!stock.next(now));
    CHECK(stock.wakes(now) == now + wait);
    now += wait;
    CHECK(stock.next(now) == "x");
    CHECK(!stock.wakes(now));
  }
  auto const last = make(stock, "x", launch, now);
  CHECK(!stock.lost(last, now));
  CHECK(!stock.next(now + 24h));
  CHECK(!stock.wakes(now));
  stock.settle("x", false);
  CHECK(!stock.next(now + 24h));
  stock.settle("x", true);
  CHECK(stock.next(now + 24h) == "x");
}

TEST_CASE("what trying again would not help is not tried again") {
  auto stock = stock_of({{"x", 1}});
  CHECK(!stock.failed("x", noon, false));
  CHECK(!stock.next(noon + 24h));
  stock.doubt_launches();
  CHECK(stock.next(noon) == "x");
}

TEST_CASE("a spare that is forgotten is nobody's failure") {
  auto stock = stock_of({{"x", 1}});
  auto const launch = launch_of("/node");
  stock.forget(make(stock, "x", launch));
  CHECK(stock.next(noon) == "x");
  auto const id = make(stock, "x", launch);
  stock.forget_all();
  CHECK(!stock.lost(id, noon));
  CHECK(stock.next(noon) == "x");
}
