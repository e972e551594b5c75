// Starts that take a process which was kept ready: what is checked before the extension is loaded,
// what holds the process, and how the start is timed.

#include "warm_hosts.hpp"

#include <bulkhead/platform/tree_digest.hpp>

#include <filesystem>
#include <set>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using namespace warm_hosts;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::start;
using test_hosts::stop;
namespace disk = std::filesystem;

namespace {

/// An extension of this test's own, whose command `version` returns what it says.
struct own_extension {
  temporary_directory place;
  disk::path folder = place.path() / "extension";

  own_extension() {
    place.write("extension/package.json", R"({"name": "own", "version": "1.0.0", "main": "a.js"})");
    write("a.js", "one");
  }
  void write(std::string const& file, std::string const& version) const {
    place.write("extension/" + file,
                "exports.activate = context => context.commands.register('version', () => '" +
                    version + "');\n");
  }
  std::string digest() const {
    return platform::to_hex(platform::digest_of_tree(folder, {}).value().digest);
  }
};

} // namespace

TEST_CASE("what a process printed before it was taken is told as its host's") {
  temporary_directory place;
  place.write("early.js", "console.log('said early');\n");
  auto host = warm(test_hosts::echo_extension());
  host.environment = {{"NODE_OPTIONS", "--require=" + (place.path() / "early.js").string()}};
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  next_spare(run, spares);
  CHECK(run.host().status().last_lines.empty());
  REQUIRE(start(run.host()));
  CHECK(run.wait_for_log("[echo] stdout: said early"));
  CHECK(run.host().status().warm_starts == 1);
}

TEST_CASE("a taken process is held to its host's limits") {
  auto host = warm(node_host("contained", test_hosts::folder / "extensions/contained"));
  host.sandbox.require = GENERATE(sandbox_tier::none, sandbox_tier::strong);
  host.limits.memory = 128 << 20;
  host.restart.max_restarts = 0;
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  next_spare(run, spares);
  REQUIRE(start(run.host()));
  CHECK(run.host().status().warm_starts == 1);
  run.host().async_command("balloon", {400}, use_future); // which may be answered before the end
  auto const ended = run.wait_for_entry("contained", host_state::Unhealthy);
  REQUIRE(ended);
  CHECK(ended->why == reason::out_of_memory);
}

TEST_CASE("a permission that changes a launch ends the processes that are ready for the old one") {
  auto host = warm(test_hosts::echo_extension());
  host.permissions.insert(permission::process_spawn);
  own_extension extension;
  extension.place.write(
      "extension/package.json",
      R"({"name": "own", "version": "1.0.0", "main": "a.js", "bulkhead": {"permissions": ["process.spawn"]}})");
  host.extension = extension.folder;
  auto now = only(host);
  harness run{now};
  run->start();
  std::set<int> spares;
  auto const old = next_spare(run, spares);
  auto next = now;
  next.hosts.front().permissions = {};
  next.state_dir = run->active_policy()->state_dir;
  REQUIRE(outcome(run->async_update_policy(std::move(next), use_future)));
  auto const made = next_spare(run, spares);
  CHECK(ends(old));
  REQUIRE(start(run.host()));
  CHECK(run.host().status().pid == made);
  CHECK(run.host().status().spares_lost == 0);
}

TEST_CASE("an extension that was changed behind its pin is refused, whatever is ready") {
  own_extension extension;
  auto host = warm(node_host("own", extension.folder));
  host.integrity.extension_sha256 = extension.digest();
  harness run{only(host)};
  run->start();
  std::set<int> spares;
  auto const spare = next_spare(run, spares);
  extension.write("a.js", "two");
  auto const refused = start(run.host());
  REQUIRE(!refused);
  CHECK(refused.error().host_reason() == reason::integrity_failure);
  CHECK(run.host().status().warm_starts == 0);

  extension.write("a.js", "one");
  REQUIRE(start(run.host()));
  CHECK(run.host().status().pid == spare); // which had read nothing of it
  CHECK(told(run, "version") == json("one"));
}

TEST_CASE("a ready process has read nothing of its extension, nor runs what has been replaced") {
  own_extension extension;
  harness run{only(warm(node_host("own", extension.folder)))};
  run->start();
  std::set<int> spares;
  auto const spare = next_spare(run, spares);
  SECTION("a file was changed") {
    extension.write("a.js", "two");
    REQUIRE(start(run.host()));
    CHECK(run.host().status().pid == spare);
    CHECK(told(run, "version") == json("two"));
  }
  SECTION("the manifest was changed") {
    extension.write("b.js", "three");
    extension.place.write("extension/package.json",
                          R"({"name": "renamed", "version": "2.0.0", "main": "b.js"})");
    REQUIRE(start(run.host()));
    CHECK(run.host().status().pid == spare);
    CHECK(told(run, "version") == json("three"));
  }
  SECTION("the folder was replaced by another") {
    disk::rename(extension.folder, extension.place.path() / "old");
    extension.place.write("extension/package.json", R"({"name": "own", "version": "2.0.0"})");
    extension.write("index.js", "four");
    REQUIRE(start(run.host()));
    CHECK(run.host().status().pid != spare);
    CHECK(run.host().status().cold_starts == 1);
    CHECK(told(run, "version") == json("four"));
    CHECK(ends(spare));
  }
}

TEST_CASE("a ready process is contained as its host's own would be") {
  auto host = warm(node_host("contained", test_hosts::folder / "extensions/contained"));
  host.sandbox.require = sandbox_tier::strong;
  harness run{only(host)};
  REQUIRE(start(run.host()));
  run->start(); // and only now is anything made ready
  auto const cold = run.host().status();
  auto const variables = told(run, "environment");
  CHECK(cold.cold_starts == 1);
  std::set<int> spares;
  next_spare(run, spares);
  REQUIRE(stop(run.host()));
  REQUIRE(start(run.host()));
  auto const now = run.host().status();
  CHECK(now.warm_starts == 1);
  CHECK(now.sandbox.tier == sandbox_tier::strong);
  REQUIRE(now.sandbox.layers.size() == cold.sandbox.layers.size());
  for (std::size_t i = 0; i < now.sandbox.layers.size(); ++i) {
    INFO(now.sandbox.layers[i].name);
    CHECK(now.sandbox.layers[i].holds == cold.sandbox.layers[i].holds);
    CHECK(now.sandbox.layers[i].name == cold.sandbox.layers[i].name);
  }
  CHECK(told(run, "list", {"/etc"}) == json{{"code", "EACCES"}});
  CHECK(told(run, "spawn").as_object().contains("code"));
  CHECK(told(run, "environment") == variables);
  next_spare(run, spares);
  REQUIRE(outcome(run->async_shutdown(use_future)));
  for (auto const pid : spares)
    CHECK(!is_alive(pid));
}

TEST_CASE("each phase of a start is timed, one after the other, and together they are the start") {
  auto const phase_sum = [](start_phases const& phases) {
    return phases.prepare + phases.spawn + phases.sandbox + phases.runtime + phases.handshake +
           phases.activate;
  };
  auto host = warm(node_host("contained", test_hosts::folder / "extensions/contained"));
  host.sandbox.require = sandbox_tier::strong;
  harness run{only(host)};
  auto const activated = [&](bool from_spare) {
    auto const told = run.wait_for_event([&](host_event const& event) {
      return event.kind == host_event_kind::activated && event.start.warm == from_spare;
    });
    REQUIRE(told);
    CHECK(told->start == run.host().status().start);
    return told->start;
  };
  using clock = std::chrono::steady_clock;
  auto const begin = clock::now();
  REQUIRE(start(run.host()));
  auto const cold = activated(false);
  auto const took = clock::now() - begin;
  run->start(); // and only now is anything made ready
  auto before = start_times::duration{};
  for (auto const reached : {cold.prepared, cold.created, cold.staged, cold.contained,
                             cold.executed, cold.loaded, cold.ready, cold.activated}) {
    CHECK(reached > before);
    before = reached;
  }
  CHECK(cold.activated < took);
  CHECK(phase_sum(phases_of(cold)) == cold.activated);

  std::set<int> spares;
  next_spare(run, spares);
  REQUIRE(stop(run.host()));
  REQUIRE(start(run.host()));
  auto const taken = activated(true);
  CHECK(taken.prepared > 0us);
  CHECK(taken.ready > taken.prepared);
  CHECK(taken.activated > taken.ready);
  for (auto const done_before :
       {taken.created, taken.staged, taken.contained, taken.executed, taken.loaded})
    CHECK(done_before == 0us);
  CHECK(phase_sum(phases_of(taken)) == taken.activated);
  CHECK(taken.activated < cold.activated);
}
