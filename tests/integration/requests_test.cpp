#include "test_hosts.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <fstream>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
// Of <sanitizer/allocator_interface.h>, which Debian's g++ does not bring.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

// Memory that this process holds, in bytes, and how many requests a test of it makes.
// AddressSanitizer keeps what was freed, so that what is resident says nothing there; but it knows
// what is allocated.
#ifdef __SANITIZE_ADDRESS__
std::size_t held_bytes() {
  return ::__sanitizer_get_current_allocated_bytes();
}
constexpr std::size_t very_many = 50'000;
#else
std::size_t held_bytes() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
constexpr std::size_t very_many = 300'000;
#endif

} // namespace

TEST_CASE("thousands of open requests fail at once when the process ends") {
  constexpr std::size_t many = 5000;
  auto host = serving_host();
  host.limits.in_flight = many + 1;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  call_tally tally;
  for (std::size_t i = 0; i < many; ++i)
    run.host().async_request("hang", json{}, 10min, tally.one());
  run.host().async_request("abort", json{}, 10min, tally.one());
  REQUIRE(tally.wait(patience));
  CHECK(tally.each_ended_once());
  CHECK(tally.failures() == std::map<errc, std::size_t>{{errc::connection_lost, many + 1}});
}

TEST_CASE("a request made before its host is Running waits for it") {
  harness run{only(raw_host({"sleep:0.2", "ready", "serve"}))};
  run->start();
  REQUIRE(run.wait_for_entry("raw", host_state::Starting));
  call_tally tally;
  for (int i = 0; i < 100; ++i)
    run.host().async_request("echo", json(i), patience, tally.one());
  REQUIRE(tally.wait(patience));
  CHECK(tally.succeeded() == 100);
}

TEST_CASE("a request made while its host is being restarted waits for it") {
  auto host = serving_host();
  host.restart.backoff_initial = host.restart.backoff_max = 200ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(!run.call("exit", 1));
  REQUIRE(run.wait_for("raw", host_state::Restarting));
  auto const reply = run.call("echo", "waited");
  REQUIRE(reply);
  CHECK(reply->text() == "\"waited\"");
}

TEST_CASE("a request that waits for its host ends at its deadline") {
  harness run{only(raw_host({"pause"}))};
  run->start();
  REQUIRE(run.wait_for_entry("raw", host_state::Starting));
  auto const late = run.call("echo", {}, 50ms);
  REQUIRE(!late);
  CHECK(late.error().code() == errc::request_timeout);
}

TEST_CASE("at its deadline a request times out, and the host is told and may still answer") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto const began = std::chrono::steady_clock::now();
  auto const late = run.call("hang", {}, 100ms);
  REQUIRE(!late);
  CHECK(late.error().code() == errc::request_timeout);
  CHECK(late.error().host() == "raw");
  CHECK(late.error().message_type() == "hang");
  CHECK(std::chrono::steady_clock::now() - began >= 100ms);
  CHECK(run.wait_for_log("stdout: cancel {\"id\":"));
  CHECK(run.call("late")); // answers the first one, too
  CHECK(run.host().status().violations == 0);
}

TEST_CASE("a deadline that has passed ends a request without sending it") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto const late = run.call("exit", 1, 0ms);
  REQUIRE(!late);
  CHECK(late.error().code() == errc::request_timeout);
  CHECK(run.call("echo"));
  CHECK(run.host().status().restarts == 0);
}

TEST_CASE("cancelling through the slot ends the request and tells the host") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  boost::asio::cancellation_signal cancel;
  auto pending = run.host().async_request(
      "hang", json{}, 10min, boost::asio::bind_cancellation_slot(cancel.slot(), use_future));
  REQUIRE(run.call("echo")); // the first one has been sent
  cancel.emit(boost::asio::cancellation_type::terminal);
  auto const ended = outcome(std::move(pending));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::request_cancelled);
  CHECK(run.wait_for_log("stdout: cancel {\"id\":"));
  cancel.emit(boost::asio::cancellation_type::terminal); // does nothing
  CHECK(run.call("late"));
  CHECK(run.host().status().violations == 0);
}

TEST_CASE("an extension sees a cancellation as an aborted signal") {
  harness run{only(test_hosts::echo_extension())};
  REQUIRE(run.start());
  boost::asio::cancellation_signal cancel;
  auto pending = run.host().async_command(
      "wait", {}, 10min, boost::asio::bind_cancellation_slot(cancel.slot(), use_future));
  REQUIRE(outcome(run.host().async_command("echo", {}, use_future)));
  cancel.emit(boost::asio::cancellation_type::terminal);
  auto const ended = outcome(std::move(pending));
  REQUIRE(!ended);
  CHECK(ended.error().code() == errc::request_cancelled);
  CHECK(outcome(run.host().async_command("echo", {}, use_future)));
}

TEST_CASE("partial replies come before the reply, in order") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto steps = std::make_shared<std::vector<std::string>>();
  auto const reply = outcome(
      run.host().async_request("partial", json{}, patience, use_future,
                               [steps](payload const& step) { steps->emplace_back(step.text()); }));
  REQUIRE(reply);
  CHECK(reply->text() == "\"done\"");
  CHECK(*steps == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("an error reply carries its text and its code") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto const failed = run.call("fail", {{"error", "no such thing"}, {"code", "not_found"}});
  REQUIRE(!failed);
  CHECK(failed.error().code() == errc::remote_error);
  CHECK(failed.error().detail() == "no such thing");
  CHECK(failed.error().remote_code() == "not_found");

  SECTION("and so does what an extension throws") {
    harness node{only(test_hosts::echo_extension())};
    REQUIRE(node.start());
    auto const thrown =
        outcome(node.host().async_command("throw", {"disk full", "ENOSPC"}, use_future));
    REQUIRE(!thrown);
    CHECK(thrown.error().detail() == "disk full");
    CHECK(thrown.error().remote_code() == "ENOSPC");
    CHECK(node.host().status().state == host_state::Running);
  }
  SECTION("whatever its payload is") {
    for (auto const& odd :
         {json(7), json("text"), json(nullptr), json{{"error", 1}}, json(boost::json::array{})})
      CHECK(run.call("fail", odd).error().code() == errc::remote_error);
  }
}

TEST_CASE("replies may come in any order") {
  harness run{only(raw_host({"ready", "take:3", "reply-reversed", "serve"}))};
  REQUIRE(run.start());
  std::vector<std::future<payload>> replies;
  for (int i = 0; i < 3; ++i)
    replies.push_back(run.host().async_request("echo", json(i), patience, use_future));
  for (int i = 0; i < 3; ++i)
    CHECK(outcome(std::move(replies[static_cast<std::size_t>(i)]))->text() == std::to_string(i));
}

TEST_CASE("past the cap on open requests further ones are refused") {
  auto host = serving_host();
  host.limits.in_flight = 3;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  call_tally tally;
  for (int i = 0; i < 3; ++i)
    run.host().async_request("hang", json{}, 10min, tally.one());
  auto const refused = run.call("echo");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::overloaded);
  run.destroy();
  CHECK(tally.wait(patience));
  CHECK(tally.each_ended_once());
  CHECK(tally.succeeded() == 0);
}

TEST_CASE("a host that stops reading is bounded and leaves the other alone") {
  auto stuck = serving_host("stuck");
  stuck.stop.term_timeout = 100ms;
  harness run{policy_of({std::move(stuck), serving_host("quick")})};
  REQUIRE(run.start());
  REQUIRE(run.call_host("stuck", "stop-reading"));
  call_tally tally;
  json const big(std::string(1 << 20, 'x'));
  for (int i = 0; i < 40; ++i)
    run.host("stuck").async_request("echo", big, 10min, tally.one());
  REQUIRE(run.call_host("quick", "echo"));
  auto const refused = run.call_host("stuck", "echo");
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::overloaded);
  CHECK(tally.failures()[errc::overloaded] >= 30);
  REQUIRE(test_hosts::stop(run.host("stuck")));
  CHECK(tally.wait(patience));
  CHECK(tally.each_ended_once());
}

TEST_CASE("large messages pass in both directions at once") {
  // Each is far above the mark at which either side holds back.
  json const big(std::string(20u << 20, 'x'));
  auto const check = [&](harness& run, auto request) {
    REQUIRE(run.start());
    std::vector<std::future<payload>> replies;
    for (int i = 0; i < 2; ++i)
      replies.push_back(request(run.host()));
    auto sent = 0;
    for (auto& reply : replies) {
      auto const ended = outcome(std::move(reply));
      if (ended)
        CHECK(ended->text().size() >= 20u << 20);
      else
        CHECK(ended.error().code() == errc::overloaded);
      sent += ended.has_value();
    }
    CHECK(sent >= 1);
  };
  SECTION("with a host that does one thing at a time") {
    harness run{only(serving_host())};
    check(run,
          [&](host_handle host) { return host.async_request("echo", big, patience, use_future); });
  }
  SECTION("with Node") {
    harness run{only(test_hosts::echo_extension())};
    check(run, [&](host_handle host) {
      return host.async_request("executeCommand", json{{"command", "echo"}, {"args", {big}}},
                                patience, use_future);
    });
  }
}

TEST_CASE("a message longer than the host's limit is refused, and the connection stays") {
  auto host = serving_host();
  host.limits.frame = 1000;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const refused = run.call("echo", json(std::string(1000, 'x')));
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::payload_too_large);
  CHECK(run.call("echo", json(std::string(500, 'x'))));
}

TEST_CASE("very many requests with far deadlines leave no memory behind") {
  harness run{only(serving_host())};
  REQUIRE(run.start());
  auto const some = [&](std::size_t count) {
    constexpr std::size_t at_once = 500;
    for (std::size_t done = 0; done < count; done += at_once) {
      call_tally tally;
      for (std::size_t i = 0; i < at_once; ++i)
        run.host().async_request("echo", json{}, 30s, tally.one());
      REQUIRE(tally.wait(patience));
      REQUIRE(tally.succeeded() == at_once);
    }
  };
  some(very_many / 10); // what is allocated once
  auto const before = held_bytes();
  some(very_many);
  auto const after = held_bytes();
  CHECK(after < before + (8u << 20));
}
