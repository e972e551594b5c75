// A host that is slower than its backend, or faster: neither makes the backend hold more than a
// bound.

#include "held_memory.hpp"
#include "test_hosts.hpp"

#include <bulkhead/config/defaults.hpp>

#include <algorithm>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <memory>
#include <sys/stat.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::awaitable;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

constexpr std::size_t mebibyte = 1u << 20;
/// What may be held for one host: what waits to be sent, the same once more while its buffer grows,
/// and what is being read and written.
constexpr std::size_t held_bound = 4 * defaults::outbound_high_water;

/// The first host beside one that does nothing wrong; "work" is a request that it may make.
policy beside_another(host_policy host) {
  host.permissions.insert(permission::commands_execute);
  host.rate_limit = {1'000'000, 1'000'000, {}};
  host.stop.term_timeout = 100ms;
  auto what = policy_of({std::move(host), serving_host("other")});
  what.requests.emplace("work", permission::commands_execute);
  return what;
}

/// Whether the other host goes on being served.
bool other_is_served(harness& run) {
  for (auto i = 0; i < 100; ++i)
    if (!run.call_host("other", "echo", json(i)))
      return false;
  return true;
}

/// How many calls of a handler are open, and the most that ever were.
struct open_count {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<int> in_all = 0;

  void enter() {
    ++in_all;
    most = std::max<int>(most, ++now);
  }
};

/// The backend's handler of "work" never answers; its calls are counted.
std::shared_ptr<open_count> never_answer_work(harness& run) {
  auto const calls = std::make_shared<open_count>();
  run->on_request("work", [calls](request) -> awaitable<json> {
    calls->enter();
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
    timer.expires_at(boost::asio::steady_timer::time_point::max());
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return json{};
  });
  return calls;
}

} // namespace

TEST_CASE("a host that stops reading holds a bounded queue, and gets all of it once it reads") {
  temporary_directory place;
  auto const fifo = place.path() / "read-again";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  harness run{beside_another(raw_host({"ready", "wait-for-writer:" + fifo.string(), "serve"}))};
  REQUIRE(run.start());
  constexpr std::size_t many = 200;
  json const large(std::string(mebibyte, 'x'));
  call_tally tally;
  auto const before = held_bytes();
  for (std::size_t i = 0; i < many; ++i)
    run.host().async_request("echo", large, patience, tally.one());
  auto const refused = run.call("echo");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::overloaded);
  CHECK(held_bytes() < before + held_bound);
  CHECK(other_is_served(run));
  auto const overloaded = tally.failures()[errc::overloaded];
  CHECK(overloaded >= many - 2 * defaults::outbound_high_water / mebibyte);
  CHECK(overloaded < many);

  std::ofstream{fifo}; // its reader goes on
  REQUIRE(tally.wait(patience));
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == many - overloaded);
  CHECK(run.call("echo"));
  CHECK(run.host("raw").status().restarts == 0);
}

TEST_CASE("a slow handler has no more than the cap of a host's requests to hold") {
  constexpr int cap = 8;
  constexpr int many = 50'000;
  auto host = raw_host({"ready", "send:" + std::to_string(many), "print:sent", "pause"});
  host.limits.in_flight = cap;
  harness run{beside_another(std::move(host))};
  auto const calls = never_answer_work(run);
  auto const before = held_bytes();
  REQUIRE(run.start());
  CHECK(other_is_served(run));
  REQUIRE(run.wait_for_log("stdout: sent"));
  CHECK(calls->most == cap);
  CHECK(calls->in_all == cap);
  CHECK(held_bytes() < before + held_bound);
  CHECK(other_is_served(run));
}

TEST_CASE("notifications that a handler still has count against the cap") {
  constexpr int cap = 8;
  auto host = raw_host({"ready", "notify:1000", "print:sent", "pause"});
  host.limits.in_flight = cap;
  harness run{beside_another(std::move(host))};
  auto const calls = never_answer_work(run);
  REQUIRE(run.start());
  REQUIRE(run.wait_for_log("stdout: sent"));
  CHECK(other_is_served(run));
  CHECK(calls->in_all == cap);
}

TEST_CASE("a slow handler has no more than a bound of a host's bytes to hold") {
  auto const how = GENERATE(as<std::string>{}, "send-large:", "notify-large:");
  CAPTURE(how);
  // 64 MiB are held after 16 of them, with or without an id; the small ones come on top.
  harness run{beside_another(
      raw_host({"ready", how + "20 4194304", "print:sent", "send:24", "outcomes:24", "pause"}))};
  auto const calls = never_answer_work(run);
  REQUIRE(run.start());
  REQUIRE(run.wait_for_log("stdout: sent"));
  CHECK(run.wait_for_log(R"(outcomes {"overloaded": 24})"));
  CHECK(calls->in_all == 16);
  CHECK(other_is_served(run));
}

TEST_CASE("a host may ask for more than that bound as it is served") {
  harness run{beside_another(raw_host({"ready", "send-large:20 4194304", "outcomes:20", "serve"}))};
  run->on_request("work", [](request const&) { return json{}; });
  REQUIRE(run.start());
  CHECK(run.wait_for_log(R"(outcomes {"reply": 20})"));
}

TEST_CASE("a host that does not read its answers is not answered any more") {
  auto host = raw_host({"ready", "send:20000", "pause"});
  harness run{beside_another(std::move(host))};
  auto const calls = std::make_shared<open_count>();
  auto const large = std::make_shared<json const>(std::string(mebibyte, 'x'));
  auto const first = std::make_shared<std::promise<void>>();
  run->on_request("work", [calls, large, first](request const&) {
    if (++calls->in_all == 1)
      first->set_value();
    return *large;
  });
  auto const before = held_bytes();
  REQUIRE(run.start());
  REQUIRE(outcome(first->get_future()));
  CHECK(other_is_served(run));
  // What passes the mark, and what the kernel has taken.
  CHECK(calls->in_all <= static_cast<int>(defaults::outbound_high_water / mebibyte) + 4);
  CHECK(held_bytes() < before + held_bound);
  CHECK(run.host("raw").status().state == host_state::Running);
  CHECK(test_hosts::stop(run.host("raw")));
  CHECK(other_is_served(run));
}
