#include "document_service.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/testing.hpp>

#include <boost/json/value_to.hpp>
#include <csignal>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;

namespace {

/// The service on its own policy, but its plugins are played by the test.
struct document_test {
  scripted_host formatter{"formatter"};
  scripted_host speller{"speller"};
  harness plugins{quick(formatter.take_over(speller.take_over(policy_from(POLICY_FILE))))};
  document_service documents{*plugins};

  /// With waits that suit a test.
  static policy quick(policy what) {
    for (auto& host : what.hosts) {
      host.restart.backoff_initial = 10ms;
      host.health.ping_interval = 50ms;
      host.health.unresponsive_after = 100ms;
      host.health.kill_after = 500ms;
    }
    return what;
  }
};

} // namespace

TEST_CASE_METHOD(document_test, "a document is laid out by the formatter") {
  formatter.on_command("format").reply_with([](json const& arguments) {
    return json("<" + boost::json::value_to<std::string>(arguments.at(0)) + ">");
  });
  REQUIRE(plugins.start());
  CHECK(documents.format("text") == "<text>");
}

TEST_CASE_METHOD(document_test, "a document survives a formatter that crashes") {
  formatter.on_command("format").crash(SIGSEGV).then().reply("laid out");
  REQUIRE(plugins.start());
  CHECK(documents.format("text") == "laid out");
  REQUIRE(plugins.wait_for("formatter", host_state::Running, after_restarts(1)));
  CHECK(formatter.starts() == 2);
}

TEST_CASE_METHOD(document_test, "a formatter that hangs is killed, and asked again") {
  formatter.on_command("format").hang().then().reply("laid out");
  REQUIRE(plugins.start());
  CHECK(documents.format("text") == "laid out");
  auto const end = plugins.wait_for_entry("formatter", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->why == reason::hung);
}

TEST_CASE_METHOD(document_test, "a formatter that floods is cut off, and the speller serves") {
  formatter.on_command("format").reply_to_unknown(10'000).then().error("busy", "not now");
  speller.on_command("check").reply({"wrod"});
  REQUIRE(plugins.start());
  CHECK(documents.format("text") == "text");
  CHECK(documents.misspelt("a wrod") == 1);
  auto const end = plugins.wait_for_entry("formatter", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->why == reason::protocol_violation);
  CHECK(plugins.path_of("speller") == "Stopped Starting Running");
}

TEST_CASE_METHOD(document_test, "every request ends once, also those that a crash leaves open") {
  formatter.on_command("format").never().then().reply("laid out").then().crash();
  REQUIRE(plugins.start());
  for (int i = 0; i < 20; ++i)
    plugins.host("formatter").async_command("format", {i}, 10s, plugins.tally().one());
  CHECK(plugins.every_request_ended_once());
  CHECK(plugins.tally().succeeded() == 1);
  CHECK(plugins.tally().failures().at(errc::connection_lost) == 19);
}
