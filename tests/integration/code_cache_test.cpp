// Scripts that were compiled ahead: who finds them, what runs, and what becomes of the process that
// compiles.

#include "process_tree.hpp"
#include "shared/open_directory.hpp"
#include "shared/text.hpp"
#include "warm_hosts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using namespace warm_hosts;
using test_hosts::only;
using test_hosts::start;
using test_hosts::stop;
namespace disk = std::filesystem;

namespace {

/// An extension of a test's own, whose main script is long enough to be compiled ahead.
struct long_extension {
  open_directory place;
  disk::path folder = place.path() / "extension";

  explicit long_extension(std::string const& main) {
    place.write("extension/package.json",
                R"({"name": "long", "version": "1.0.0", "main": "main.js"})");
    write("main.js", main);
  }

  void write(std::string const& name, std::string const& source) const {
    place.write("extension/" + name, source + "\n// " + std::string(8000, '-') + '\n');
  }

  std::string trace() const {
    std::ifstream file{place.path() / "trace"};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
};

/// An extension whose command "version" returns that.
std::string answering(std::string const& version) {
  return "exports.activate = c => { c.commands.register('version', () => '" + version +
         "'); c.commands.register('crash', () => process.abort()); };";
}

host_policy cached(disk::path const& extension, sandbox_tier tier = sandbox_tier::none,
                   std::string id = "long") {
  auto host = node_host(std::move(id), extension);
  host.start.code_cache = true;
  host.sandbox.require = tier;
  return host;
}

std::size_t count(harness const& run, host_event_kind kind, std::string_view host = "long") {
  auto const events = run.events(host);
  return static_cast<std::size_t>(std::ranges::count(events, kind, &host_event::kind));
}

/// Waits until the cache has told so often of something that it made, or could not.
bool has_told(harness& run, host_event_kind kind, std::size_t times = 1,
              std::string_view host = "long") {
  std::size_t seen = 0;
  return run
      .wait_for_event([&](host_event const& event) {
        return event.kind == kind && event.host == host && ++seen == times;
      })
      .has_value();
}

/// A start after which all scripts are compiled, and the end of that process.
void fill(harness& run) {
  REQUIRE(start(run.host()));
  REQUIRE(has_told(run, host_event_kind::code_cached));
  CHECK(run.host().status().code_cached == 0);
  REQUIRE(stop(run.host()));
}

/// Until the extension is active.
bool is_active(harness& run, std::size_t times) {
  return has_told(run, host_event_kind::activated, times);
}

} // namespace

TEST_CASE("a start takes what was compiled after the one before, and so does a restart") {
  auto const tier = GENERATE(sandbox_tier::none, sandbox_tier::strong);
  INFO(to_string(tier));
  long_extension const extension{"require('./lib.js');" + answering("one")};
  extension.write("lib.js", "exports.value = 1;");
  harness run{only(cached(extension.folder, tier))};
  fill(run);
  CHECK(is_told(run, host_event_kind::code_cached, "2 scripts, "));
  REQUIRE(start(run.host()));
  REQUIRE(is_active(run, 2));
  CHECK(run.host().status().code_cached == 2);
  CHECK(told(run, "version") == json("one"));
  told(run, "crash");
  REQUIRE(is_active(run, 3));
  CHECK(run.host().status().restarts == 1);
  CHECK(run.host().status().code_cached == 2);
  CHECK(count(run, host_event_kind::code_cached) == 1);
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a script that was changed in place, to one of the same length, runs as it is now") {
  long_extension const extension{answering("one")};
  harness run{only(cached(extension.folder))};
  fill(run);
  extension.write("main.js", answering("two"));
  REQUIRE(start(run.host()));
  REQUIRE(is_active(run, 2));
  CHECK(told(run, "version") == json("two"));
  CHECK(run.host().status().code_cached == 0);
  REQUIRE(has_told(run, host_event_kind::code_cached, 2)); // of the new one
  REQUIRE(stop(run.host()));
  REQUIRE(start(run.host()));
  REQUIRE(is_active(run, 3));
  CHECK(told(run, "version") == json("two"));
  CHECK(run.host().status().code_cached == 1);
}

TEST_CASE("compiling runs nothing of the extension") {
  long_extension const extension{
      "require('fs').appendFileSync(__dirname + '/../trace', process.argv[1].slice(-12) + '\\n');" +
      answering("one")};
  harness run{only(cached(extension.folder))};
  fill(run);
  CHECK(extension.trace() == "bootstrap.js\n");
  REQUIRE(start(run.host()));
  REQUIRE(is_active(run, 2));
  CHECK(run.host().status().code_cached == 1);
  CHECK(extension.trace() == "bootstrap.js\nbootstrap.js\n");
}

TEST_CASE("an extension can't change what is compiled of it") {
  auto const tier = GENERATE(sandbox_tier::none, sandbox_tier::strong);
  INFO(to_string(tier));
  long_extension const extension{R"(
    const fs = require('fs');
    const attempts = [
      () => fs.writeSync(4, 'x', 0),
      () => fs.ftruncateSync(4, 0),
      () => fs.ftruncateSync(4, 1 << 26),
    ];
    const outcome = attempt => {
      try { attempt(); return 'done'; } catch (error) { return error.code; }
    };
    exports.activate = c => {
      c.commands.register('version', () => 'one');
      c.commands.register('reads', () => fs.readSync(4, Buffer.alloc(8), 0, 8, 0));
      c.commands.register('tamper', () => attempts.map(outcome));
    };)"};
  harness run{only(cached(extension.folder, tier))};
  fill(run);
  for (std::size_t round = 2; round <= 3; ++round) {
    REQUIRE(start(run.host()));
    REQUIRE(is_active(run, round));
    CHECK(run.host().status().code_cached == 1);
    CHECK(told(run, "reads") == json(8));
    CHECK(told(run, "tamper") == json{"EPERM", "EPERM", "EPERM"});
    REQUIRE(stop(run.host()));
  }
}

TEST_CASE("hosts of the same launch share what was compiled") {
  long_extension const extension{answering("one")};
  auto first = cached(extension.folder, sandbox_tier::none, "long");
  auto second = cached(extension.folder, sandbox_tier::none, "other");
  first.autostart = second.autostart = false;
  harness run{policy_of({first, second})};
  fill(run);
  REQUIRE(start(run.host("other")));
  REQUIRE(has_told(run, host_event_kind::activated, 1, "other"));
  CHECK(run.host("other").status().code_cached == 1);
}

TEST_CASE("a ready process has what was compiled when it was made") {
  long_extension const extension{answering("one")};
  auto host = warm(cached(extension.folder));
  harness run{only(host)};
  fill(run); // no process is made ready before the runtime starts
  run->start();
  std::set<int> spares;
  auto const spare = next_spare(run, spares);
  REQUIRE(start(run.host()));
  REQUIRE(is_active(run, 2));
  CHECK(run.host().status().pid == spare);
  CHECK(run.host().status().code_cached == 1);
  CHECK(told(run, "version") == json("one"));
}

TEST_CASE("scripts that can't be compiled ahead are told of once, and run") {
  long_extension const extension{"exports.load = () => import('node:fs');" + answering("one")};
  long_extension const later{answering("two")};
  auto first = cached(extension.folder);
  auto second = cached(later.folder, sandbox_tier::none, "later");
  first.autostart = second.autostart = false;
  harness run{policy_of({first, second})};
  for (std::size_t round = 1; round <= 2; ++round) {
    REQUIRE(start(run.host()));
    REQUIRE(is_active(run, round));
    REQUIRE(is_told(run, host_event_kind::code_not_cached, "none of them can be compiled ahead"));
    CHECK(told(run, "version") == json("one"));
    CHECK(run.host().status().code_cached == 0);
    REQUIRE(stop(run.host()));
  }
  // One is compiled after the other.
  REQUIRE(start(run.host("later")));
  REQUIRE(has_told(run, host_event_kind::code_cached, 1, "later"));
  CHECK(count(run, host_event_kind::code_not_cached) == 1);
}

namespace {

/// One that puts a FIFO in its script's place, so that whoever reads it waits for ever.
constexpr auto blocking_main = R"(
  require('./lib.js');
  const lib = __dirname + '/lib.js';
  require('fs').rmSync(lib);
  require('child_process').execFileSync('/usr/bin/mkfifo', [lib]);
  exports.activate = c => c.commands.register('version', () => 'one');)";

/// The process that compiles.
std::optional<descendant> compiler_in(foster_parent const& family) {
  for (auto const& each : family.descendants())
    if (std::ranges::any_of(each.words,
                            [](auto const& word) { return word.ends_with("compile.js"); }))
      return each;
  return std::nullopt;
}

} // namespace

TEST_CASE("compiling that takes too long is ended and told, and the host goes on") {
  long_extension const extension{blocking_main};
  extension.write("lib.js", "");
  auto host = cached(extension.folder);
  host.start_timeout = 3s;
  harness run{only(host)};
  REQUIRE(start(run.host()));
  REQUIRE(is_told(run, host_event_kind::code_not_cached, "it took longer than start_timeout, 3s"));
  CHECK(told(run, "version") == json("one"));
}

TEST_CASE("the process that compiles ends with the runtime") {
  auto const orderly = GENERATE(true, false);
  foster_parent const family;
  long_extension const extension{blocking_main};
  extension.write("lib.js", "");
  auto host = cached(extension.folder);
  host.start_timeout = 60s;
  harness run{only(host)};
  REQUIRE(start(run.host()));
  REQUIRE(comes_true([&] { return compiler_in(family).has_value(); }));
  auto const compiler = compiler_in(family)->pid;
  if (orderly)
    REQUIRE(outcome(run->async_shutdown(boost::asio::use_future)));
  else
    run.destroy();
  CHECK(!is_alive(compiler));
  CHECK(run.critical_lines().empty());
}
