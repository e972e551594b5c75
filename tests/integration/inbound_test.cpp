#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::awaitable;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;

namespace {

/// A policy with one host that may do what needs commands.execute, and one type of request that
/// needs it.
policy that_may_ask(host_policy host) {
  host.permissions.insert(permission::commands_execute);
  auto what = only(std::move(host));
  what.requests.emplace("work", permission::commands_execute);
  what.requests.emplace("read", permission::clipboard_read);
  return what;
}

/// The line that raw_host.py prints for the answer to its `ask`.
std::string answer_of(harness& run) {
  auto const line = run.wait_for_log("stdout: answer");
  REQUIRE(line);
  return *line;
}

/// Waits until somebody cancels.
awaitable<void> forever() {
  boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
  timer.expires_at(boost::asio::steady_timer::time_point::max());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

} // namespace

TEST_CASE("a plain handler answers what a host asks") {
  harness run{that_may_ask(raw_host({"ready", R"(ask:work {"n":20})", "serve"}))};
  run->on_request("work", [](request const& asked) {
    CHECK(asked.host() == "raw");
    CHECK(asked.type() == "work");
    return json{{"doubled", asked.payload().at("n").as_int64() * 2}};
  });
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("type": "work-response", "payload": {"doubled": 40})"));
}

TEST_CASE("a handler that returns nothing answers with an empty object") {
  harness run{that_may_ask(raw_host({"ready", "ask:work", "serve"}))};
  run->on_request("work", [](request const&) {});
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("type": "work-response", "payload": {})"));
}

TEST_CASE("a coroutine answers when it is done") {
  harness run{that_may_ask(raw_host({"ready", "ask:work", "serve"}))};
  run->on_request("work", [](request) -> awaitable<json> {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, 1ms};
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return json("later");
  });
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("payload": "later")"));
}

TEST_CASE("what a handler throws reaches the extension only where it is meant to") {
  auto const answer_to = [](auto handler) {
    harness run{that_may_ask(raw_host({"ready", "ask:work", "serve"}))};
    run->on_request("work", handler);
    REQUIRE(run.start());
    return answer_of(run);
  };
  SECTION("a request_error with its text and code") {
    auto const answer = answer_to([](request const&) { throw request_error{"busy", "come back"}; });
    CHECK(contains(answer, "work-error"));
    CHECK(contains(answer, R"("code": "busy")"));
    CHECK(contains(answer, "come back"));
  }
  SECTION("anything else as handler_failed") {
    auto const answer =
        answer_to([](request const&) -> json { throw std::runtime_error{"/secret/path"}; });
    CHECK(contains(answer, R"("code": "handler_failed")"));
    CHECK(!contains(answer, "secret"));
  }
  SECTION("out of a coroutine, too") {
    auto const answer = answer_to([](request) -> awaitable<json> {
      co_await boost::asio::post(boost::asio::use_awaitable);
      throw std::runtime_error{"/secret/path"};
    });
    CHECK(contains(answer, R"("code": "handler_failed")"));
    CHECK(!contains(answer, "secret"));
  }
}

TEST_CASE("what is not granted is denied, and the connection stays") {
  auto const answer_to = [](std::string const& step) {
    harness run{that_may_ask(raw_host({"ready", step, "serve"}))};
    run->on_request("read", [](request const&) { FAIL_CHECK("it was denied"); });
    run->on_request("unnamed", [](request const&) { FAIL_CHECK("it was denied"); });
    REQUIRE(run.start());
    auto answer = answer_of(run);
    CHECK(run.call("echo"));
    CHECK(run.host().status().denied == 1);
    CHECK(run.host().status().violations == 0);
    return answer;
  };
  SECTION("a type whose permission the host does not have") {
    auto const answer = answer_to("ask:read");
    CHECK(contains(answer, R"("code": "permission_denied")"));
    CHECK(contains(answer, R"("permission": "clipboard.read")"));
  }
  SECTION("a type that the policy does not name") {
    CHECK(contains(answer_to("ask:unnamed"), R"("code": "permission_denied")"));
  }
}

TEST_CASE("a permission that the extension did not ask for does not hold") {
  auto host = test_hosts::echo_extension(); // asks for nothing
  harness run{that_may_ask(std::move(host))};
  run->on_request("work", [](request const&) { FAIL_CHECK("it was denied"); });
  REQUIRE(run.start());
  auto const denied = outcome(run.host().async_command("ask", {"work", nullptr}, use_future));
  REQUIRE(!denied);
  CHECK(denied.error().remote_code() == "permission_denied");
}

TEST_CASE("a type of the protocol's own can't be taken over by a handler") {
  auto host = raw_host({"ready", "ask:fs.readFile {\"path\":\"/etc/passwd\"}", "serve"});
  host.permissions.insert(permission::file_system_read);
  harness run{only(std::move(host))};
  run->on_request("fs.readFile", [](request const&) { FAIL_CHECK("it can't be taken over"); });
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("code": "path_denied")"));
}

TEST_CASE("a type that nobody handles is answered so") {
  harness run{that_may_ask(raw_host({"ready", "ask:work", "serve"}))};
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("code": "unsupported_request")"));
}

TEST_CASE("a handler's progress comes before its reply") {
  harness run{that_may_ask(raw_host({"ready", "ask:work", "serve"}))};
  run->on_request("work", [](request const& asked) {
    asked.progress("half");
    return json("all");
  });
  REQUIRE(run.start());
  CHECK(contains(answer_of(run), R"("type": "work-partial", "payload": "half")"));
  CHECK(run.wait_for_log(R"("type": "work-response", "payload": "all")"));
}

TEST_CASE("a host can take its request back") {
  std::promise<bool> cancelled;
  harness run{that_may_ask(
      raw_host({"ready", R"(frame:{"id":"taken","type":"work","payload":{}})",
                R"(frame:{"id":"","type":"cancel","payload":{"id":"taken"}})", "serve"}))};
  run->on_request("work", [&](request asked) -> awaitable<json> {
    try {
      co_await forever();
    } catch (boost::system::system_error const&) {
      cancelled.set_value(asked.is_cancelled());
    }
    co_return json{};
  });
  REQUIRE(run.start());
  CHECK(outcome(cancelled.get_future()).value());
}

TEST_CASE("past the cap on a host's open requests further ones are refused") {
  auto host = raw_host({"ready", "flood:100", "serve"});
  host.limits.in_flight = 10;
  harness run{that_may_ask(std::move(host))};
  run->on_request("work", [](request) -> awaitable<json> {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, 50ms};
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return boost::json::object{};
  });
  REQUIRE(run.start());
  auto const counts = run.wait_for_log("stdout: flood");
  REQUIRE(counts);
  CHECK(contains(*counts, R"("overloaded": )"));
  CHECK(contains(*counts, R"("reply": )"));
  CHECK(run.call("echo"));
}

TEST_CASE("an answer to a host that is gone goes nowhere") {
  std::promise<request> came;
  auto seen = came.get_future();
  harness run{that_may_ask(
      raw_host({"ready", R"(frame:{"id":"a","type":"work","payload":{}})", "take", "exit:1"}))};
  run->on_request("work", [&, first = true](request asked) mutable -> awaitable<json> {
    if (std::exchange(first, false))
      came.set_value(asked);
    try {
      co_await forever();
    } catch (boost::system::system_error const&) {
    }
    asked.progress("too late");
    co_return json("too late");
  });
  REQUIRE(run.start());
  REQUIRE(seen.wait_for(patience) == std::future_status::ready);
  CHECK(!run.call("any"));
  REQUIRE(run.wait_for_entry("raw", host_state::Restarting));
  CHECK(seen.get().is_cancelled());
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("the answer to ready tells the limits that hold") {
  auto host = test_hosts::serving_host();
  host.limits.in_flight = 12;
  host.limits.frame = 4096;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(run.wait_for_log(R"(limits {"frame": 4096, "in_flight": 12})"));
}

TEST_CASE("a host's log and its commands are kept") {
  harness run{only(test_hosts::echo_extension())};
  REQUIRE(run.start());
  REQUIRE(outcome(run.host().async_command("echo", {}, use_future)));
  auto const commands = run.host().status().commands;
  CHECK(std::find(commands.begin(), commands.end(), "echo") != commands.end());
}
