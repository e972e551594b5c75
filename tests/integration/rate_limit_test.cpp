#include "service_hosts.hpp"

#include <cstdint>
#include <map>
#include <string>

using namespace bulkhead;
using namespace bulkhead::testing;
using boost::asio::use_future;
using boost::json::object;
using test_hosts::tell;

namespace {

/// How often requests of one burst ended with each code, and the longest wait that was advised.
struct burst {
  std::map<std::string, int> codes;
  std::int64_t wait;
};

burst burst_of(harness& run, std::string_view host, int count, std::string_view type,
               json const& asked) {
  auto const ended =
      outcome(run.host(host).async_command("burst", {count, type, asked}, use_future));
  REQUIRE(ended);
  burst told{{}, ended->at("wait").as_int64()};
  for (auto const& [code, times] : ended->at("codes").as_object())
    told.codes.emplace(code, static_cast<int>(times.as_int64()));
  return told;
}

} // namespace

TEST_CASE("a burst passes, and what exceeds it is told when to come again") {
  temporary_directory files;
  files.write("file", "");
  // A second brings no more than one, and what registers the commands counts as well.
  auto host = test_hosts::files_host_in(files.path(), "files");
  host.rate_limit = {1, 30, {}};
  harness run{policy_of({host, test_hosts::files_host_in(files.path(), "other")})};
  REQUIRE(run.start());
  REQUIRE(run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::activated; }));

  auto const told = burst_of(run, "files", 50, "fs.stat", object{{"path", "file"}});
  CHECK(told.codes.size() == 2);
  CHECK(told.codes.at("done") >= 10);
  CHECK(told.codes.at("done") <= 30);
  CHECK(told.codes.at("rate_limited") == 50 - told.codes.at("done"));
  CHECK(told.wait > 0);
  CHECK(told.wait <= 1000);
  CHECK(run.host("files").status().denied ==
        static_cast<std::uint64_t>(told.codes.at("rate_limited")));
  CHECK(run.host("files").status().state == host_state::Running);

  SECTION("and another host is not concerned") {
    auto const others = burst_of(run, "other", 50, "fs.stat", object{{"path", "file"}});
    CHECK(others.codes == std::map<std::string, int>{{"done", 50}});
  }
}

TEST_CASE("a type of request can have a limit of its own") {
  temporary_directory files;
  files.write("file", "");
  auto host = test_hosts::files_host_in(files.path(), "files");
  host.rate_limit.per_type = {{"fs.readFile", 3}};
  harness run{policy_of({host})};
  REQUIRE(run.start());
  auto const reads = burst_of(run, "files", 20, "fs.readFile", object{{"path", "file"}});
  CHECK(reads.codes.at("done") >= 3);
  CHECK(reads.codes.at("done") <= 4); // one more where a third of a second passed
  CHECK(reads.wait > 0);
  CHECK(reads.wait <= 334);
  auto const stats = burst_of(run, "files", 20, "fs.stat", object{{"path", "file"}});
  CHECK(stats.codes == std::map<std::string, int>{{"done", 20}});
}

TEST_CASE("an extension that registers more commands than the burst keeps all of them") {
  temporary_directory files;
  auto const main = files.write("many.js", R"(
    exports.activate = ({ commands }) => {
      for (let i = 0; i < 300; ++i) commands.register(`command-${i}`, () => i);
    };)");
  auto host = node_host("many", main);
  REQUIRE(host.rate_limit.burst == 100);
  harness run{policy_of({host})};
  REQUIRE(run.start());
  REQUIRE(run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::activated; }));
  auto const status = run.host().status();
  CHECK(status.commands.size() == 300);
  // Each refused one came back in its turn, and not all of them each time.
  CHECK(status.denied < 600);
  CHECK(outcome(run.host().async_command("command-299", {}, use_future)).value() == json(299));
}
