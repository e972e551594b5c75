#include "test_hosts.hpp"

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

/// A host that does these steps and then waits, beside one that does nothing wrong.
policy beside_another(std::vector<std::string> steps) {
  steps.emplace_back("pause");
  auto host = raw_host(std::move(steps));
  host.restart.max_restarts = 0;
  host.limits.frame = 1u << 20;
  return policy_of({std::move(host), serving_host("other")});
}

/// Waits until the first host is cut off for exactly this breach, while the other one is served.
void is_cut_off_for(errc expected, std::vector<std::string> steps) {
  harness run{beside_another(std::move(steps))};
  run->start();
  auto const end = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(end);
  INFO(end->detail);
  CHECK(end->why == reason::protocol_violation);
  CHECK(end->detail.find(std::string{to_string(expected)} + ", " +
                         std::to_string(static_cast<int>(expected))) != std::string::npos);
  CHECK(run.host("raw").status().violations >= 1);
  REQUIRE(run.wait_for("raw", host_state::Crashed));
  CHECK(run.call_host("other", "echo"));
  CHECK(run.every_transition_was_legal());
}

std::string const ready_frame =
    R"(frame:{"id":"x","type":"extension-host-ready","payload":{"ready":true}})";

struct breach {
  char const* what;
  errc code;
  std::vector<std::string> steps;
};

breach const after_ready[] = {
    {"an empty frame", errc::frame_empty, {"hex:00000000"}},
    {"a frame that announces 4 GiB", errc::frame_too_large, {"announce:4294967295"}},
    {"a frame that announces one byte too many", errc::frame_too_large, {"announce:1048577"}},
    {"a frame that ends early", errc::frame_truncated, {"announce:10", "hex:7b", "shutdown-write"}},
    {"a length that ends early", errc::frame_truncated, {"hex:0000", "close"}},
    {"text that is not JSON", errc::json_syntax, {"frame:nonsense"}},
    {"a byte order mark", errc::json_syntax, {"bytes:efbbbf7b7d"}},
    {"bytes behind the object",
     errc::json_trailing,
     {R"(frame:{"id":"a","type":"log","payload":{}} x)"}},
    {"bytes that are not UTF-8",
     errc::json_encoding,
     {"bytes:7b226964223a22ff222c2274797065223a226c6f67222c227061796c6f6164223a7b7d7d"}},
    {"a lone surrogate",
     errc::json_encoding,
     {R"(frame:{"id":"a","type":"log","payload":"\ud800"})"}},
    {"a key twice",
     errc::json_duplicate_key,
     {R"(frame:{"id":"a","type":"log","payload":{"k":1,"k":2}})"}},
    {"a number that does not fit",
     errc::json_number,
     {R"(frame:{"id":"a","type":"log","payload":1e999})"}},
    {"a frame without a payload", errc::envelope_invalid, {R"(frame:{"id":"a","type":"log"})"}},
    {"a frame with a fourth member",
     errc::envelope_invalid,
     {R"(frame:{"id":"a","type":"log","payload":{},"__proto__":{}})"}},
    {"an id that is not a string",
     errc::envelope_invalid,
     {R"(frame:{"id":1,"type":"log","payload":{}})"}},
    {"a second ready message", errc::ready_twice, {ready_frame}},
    {"a descriptor that nobody asked for", errc::unexpected_descriptor, {"descriptor"}},
    {"replies without end to requests that are not open",
     errc::unknown_reply,
     {"reply-unknown:50"}},
    {"an attachment that was not agreed on",
     errc::frame_too_large,
     {R"(attach:00 {"id":"a","type":"fs.writeFile","payload":{"path":"a","encoding":"binary"}})"}},
};

/// Of a host that agreed on attachments.
breach const after_agreement[] = {
    {"an attachment to a request that has no use for it",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"a","type":"fs.readFile","payload":{"path":"a"}})"}},
    {"an attachment of no bytes to it",
     errc::attachment_unwanted,
     {R"(attach: {"id":"a","type":"fs.readFile","payload":{"path":"a"}})"}},
    {"an attachment to the application's request",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"a","type":"work","payload":{}})"}},
    {"an attachment to a secret",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"a","type":"secretStore","payload":{"key":"k","value":"v"}})"}},
    {"an attachment to a reply",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"1","type":"ping-response","payload":{}})"}},
    {"an attachment to a notification",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"","type":"fs.writeFile","payload":{"path":"a","encoding":"binary"}})"}},
    {"an attachment to a second ready message",
     errc::attachment_unwanted,
     {R"(attach:00 {"id":"a","type":"extension-host-ready","payload":{"ready":true}})"}},
    {"text that is not JSON beside an attachment", errc::json_syntax, {"attach:00 nonsense"}},
    {"an attachment without JSON", errc::attachment_invalid, {"hex:8000000800000000"}},
    {"an attachment whose JSON is longer than its frame",
     errc::attachment_invalid,
     {"hex:800000080000000531323334"}},
    {"an attachment without room for a length", errc::attachment_invalid, {"hex:80000004"}},
    {"an attachment of a frame of length 0", errc::frame_empty, {"hex:80000000"}},
    {"an attachment that announces 2 GiB", errc::frame_too_large, {"hex:ffffffff"}},
    {"an attachment that announces one byte too many", errc::frame_too_large, {"hex:80100001"}},
    {"an attachment that ends early",
     errc::frame_truncated,
     {"hex:80000010000000027b7d31", "shutdown-write"}},
};

breach const before_ready[] = {
    {"a request", errc::not_ready, {R"(frame:{"id":"a","type":"log","payload":{}})"}},
    {"a notification", errc::not_ready, {R"(frame:{"id":"","type":"cancel","payload":{}})"}},
    {"a ready message that says no",
     errc::ready_invalid,
     {R"(frame:{"id":"a","type":"extension-host-ready","payload":{"ready":false}})"}},
    {"a ready message of another version",
     errc::ready_invalid,
     {R"(frame:{"id":"a","type":"extension-host-ready","payload":{"ready":true,"protocol":2}})"}},
    {"a ready message that is no object",
     errc::ready_invalid,
     {R"(frame:{"id":"a","type":"extension-host-ready","payload":[]})"}},
};

} // namespace

TEST_CASE("a breach of the protocol cuts its host off, with the breach's code, and no other") {
  for (auto const& each : after_ready)
    DYNAMIC_SECTION(each.what) {
      auto steps = each.steps;
      steps.insert(steps.begin(), "ready");
      is_cut_off_for(each.code, std::move(steps));
    }
  for (auto const& each : after_agreement)
    DYNAMIC_SECTION(each.what) {
      auto steps = each.steps;
      steps.insert(steps.begin(), R"(ready:{"attachments":true})");
      is_cut_off_for(each.code, std::move(steps));
    }
  for (auto const& each : before_ready)
    DYNAMIC_SECTION("before ready: " << each.what) {
      is_cut_off_for(each.code, each.steps);
    }
  SECTION("nesting without end") {
    is_cut_off_for(errc::json_depth, {"ready", "deep:1000"});
    is_cut_off_for(errc::json_depth, {"ready", R"(frame:{"id":"a","type":"log","payload":)" +
                                                   std::string(100'000, '[')});
  }
}

TEST_CASE("open requests end when their host is cut off") {
  harness run{beside_another({"ready", "take", "frame:nonsense"})};
  REQUIRE(run.start());
  auto const lost = run.call("any", {}, 10min);
  REQUIRE(!lost);
  CHECK(lost.error().code() == errc::connection_lost);
  CHECK(lost.error().host_reason() == reason::protocol_violation);
}

TEST_CASE("a host that was cut off is started again") {
  harness run{test_hosts::only(raw_host({"ready", "take", "frame:nonsense", "pause"}))};
  REQUIRE(run.start());
  CHECK(!run.call("any"));
  REQUIRE(run.wait_for_entry("raw", host_state::Restarting));
  REQUIRE(run.wait_for("raw", host_state::Running));
  CHECK(run.host().status().restarts == 1);
}

TEST_CASE("frames may come in pieces") {
  harness run{test_hosts::only(raw_host(
      {"ready", R"(split:{"id":"a","type":"log","payload":{"message":"in pieces"}})", "serve"}))};
  REQUIRE(run.start());
  CHECK(run.wait_for_log("in pieces"));
}

TEST_CASE("a few replies too many are counted and forgiven") {
  SECTION("repeated") {
    harness run{test_hosts::only(raw_host({"ready", "take", "reply-twice", "serve"}))};
    REQUIRE(run.start());
    CHECK(run.call("echo"));
    CHECK(run.call("echo"));
    CHECK(run.host().status().violations == 1);
  }
  SECTION("to requests that never were") {
    harness run{test_hosts::only(raw_host({"ready", "reply-unknown:9", "serve"}))};
    REQUIRE(run.start());
    CHECK(run.call("echo"));
    CHECK(run.host().status().violations == 9);
  }
}

TEST_CASE("a host that spends its budget of violations is ended, with what they were") {
  auto host = raw_host({"ready", "reply-unknown:10", "serve"});
  host.restart.max_restarts = 0;
  harness run{test_hosts::only(std::move(host))};
  run->start();
  auto const end = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->why == reason::protocol_violation);
  CHECK(end->detail.ends_with("; in all: unknown_reply x 10"));
}

TEST_CASE("an id that is in use is a violation") {
  auto const request = std::string{R"({"id":"same","type":"slow","payload":{}})"};
  std::vector<std::string> steps{"ready"};
  for (int i = 0; i < 20; ++i)
    steps.push_back("frame:" + request);
  steps.emplace_back("pause");
  auto host = raw_host(std::move(steps));
  host.restart.max_restarts = 0;
  host.permissions.insert(permission::commands_execute);
  auto what = test_hosts::only(std::move(host));
  what.requests.emplace("slow", permission::commands_execute);
  std::vector<bulkhead::request> open;
  harness run{std::move(what)};
  run->on_request("slow", [&open](bulkhead::request asked) -> boost::asio::awaitable<json> {
    open.push_back(asked);
    boost::asio::steady_timer forever{co_await boost::asio::this_coro::executor};
    forever.expires_at(boost::asio::steady_timer::time_point::max());
    co_await forever.async_wait(boost::asio::use_awaitable);
    co_return json{};
  });
  run->start();
  auto const end = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->detail.find("id_in_use, 4311") != std::string::npos);
  run.destroy();
  REQUIRE(open.size() == 1);
  CHECK(open.front().is_cancelled());
}
