#include "test_hosts.hpp"

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using test_hosts::only;

namespace {

constexpr std::string_view trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr std::string_view other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

policy traced_policy() {
  auto host = node_host("traced", test_hosts::folder / "extensions/traced");
  host.permissions.insert(permission::commands_execute);
  auto what = only(std::move(host));
  what.requests.emplace("which-trace", permission::commands_execute);
  return what;
}

void answer_traces(harness& run) {
  run->on_request("which-trace", [](request const& asked) {
    return json{{"trace", asked.traceparent()}};
  });
}

json command(host_handle host, std::string name, boost::json::array args = {}) {
  return outcome(host.async_command(std::move(name), std::move(args), boost::asio::use_future))
      .value();
}

} // namespace

TEST_CASE("a trace reaches the extension, and comes back with what it asks meanwhile") {
  harness run{traced_policy()};
  answer_traces(run);
  auto traced = run.host().traced(trace);
  run->start();
  // One that waits for the start of its host keeps its trace.
  auto waiting = traced.async_command("trace", boost::json::array{}, 60s, boost::asio::use_future);
  REQUIRE(run.start());
  json const expected{{"called", trace}, {"before", trace}, {"later", trace}};
  CHECK(outcome(std::move(waiting)).value() == expected);
  // Each of several at once has its own.
  auto one = traced.async_command("trace", {}, boost::asio::use_future);
  auto two = run.host().traced(other).async_command("trace", {}, boost::asio::use_future);
  auto none = run.host().async_command("trace", {}, boost::asio::use_future);
  CHECK(outcome(std::move(one)).value() == expected);
  CHECK(outcome(std::move(two)).value() ==
        json{{"called", other}, {"before", other}, {"later", other}});
  CHECK(outcome(std::move(none)).value() ==
        json{{"called", "none"}, {"before", ""}, {"later", ""}});
}

TEST_CASE("what is no traceparent is not passed on") {
  harness run{traced_policy()};
  answer_traces(run);
  REQUIRE(run.start());
  CHECK(command(run.host().traced("00-x"), "trace").at("called") == "none");
  CHECK(command(run.host(), "own", {other}) == json(other));
  auto const refused = outcome(run.host().async_command("own", {"00-x"}, boost::asio::use_future));
  REQUIRE(!refused);
  CHECK(refused.error().remote_code() == "invalid_request");
  CHECK(run.host().status().state == host_state::Running);
}
