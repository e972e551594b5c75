#include "sandbox_launches.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace sandbox_test;
using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::platform::exit_kind;
using bulkhead::platform::exit_status;
using bulkhead::platform::start_sandboxed;
using bulkhead::platform::unique_fd;

namespace {

constexpr sandbox_tier both[] = {sandbox_tier::strong, sandbox_tier::basic};

std::string summary(sandbox_tier tier, std::string script) {
  return summary_of(shell(tier, std::move(script)));
}

void write_file(fs::path const& path, std::string_view text) {
  std::ofstream{path} << text;
  ::chmod(path.c_str(), 0644);
}

} // namespace

TEST_CASE("a program runs in both tiers, started by root and by an ordinary user", "[sandbox]") {
  for (auto const tier : both) {
    INFO(to_string(tier));
    CHECK(summary(tier, "echo hello; echo oops >&2") == "exit code 0\nhello\nerror: oops");
    CHECK(as_ordinary_user([tier] { return summary(tier, "echo hello"); }) == "exit code 0\nhello");
  }
}

TEST_CASE("Node runs inside and knows its own path", "[sandbox]") {
  auto const path = fs::canonical("/usr/bin/node").string();
  for (auto const tier : both)
    CHECK(summary_of(node(tier, "console.log(process.execPath)")) == "exit code 0\n" + path);
}

TEST_CASE("the ways in which a program ends are told apart", "[sandbox]") {
  for (auto const tier : both) {
    INFO(to_string(tier));
    CHECK(summary(tier, "exit 3") == "exit code 3");
    CHECK(summary(tier, "exit 139") == "exit code 139");
    CHECK(summary(tier, "kill -SEGV $$") == "signal SIGSEGV");
    CHECK(summary(tier, "kill -SYS $$") == "signal SIGSYS");
    CHECK(summary(tier, "kill -KILL $$") == "signal SIGKILL");
    auto spin = shell(tier, "while :; do :; done");
    spin.limits = {{RLIMIT_CPU, 1, 3}};
    CHECK(summary_of(spin) == "signal SIGXCPU");
  }
}

TEST_CASE("a program that is killed takes its launch's report with it", "[sandbox]") {
  for (auto const tier : both) {
    watched_launch launch{shell(tier, "echo up; while :; do sleep 1; done")};
    REQUIRE(launch.wait_for_line());
    auto const& report = *launch.started->launch;
    REQUIRE(launch.run_until([&] { return report.running.has_value(); }));
    REQUIRE(report.staged);
    REQUIRE(report.contained);
    CHECK(report.created <= *report.staged);
    CHECK(*report.staged <= *report.contained);
    CHECK(*report.contained <= *report.running);
    CHECK(report.landlock >= 1);
    CHECK(report.program > 0);
    launch.started->process.kill_tree();
    REQUIRE(launch.finish());
    CHECK(launch.status == exit_status{exit_kind::signaled, SIGKILL, false});
    CHECK(::kill(report.program, 0) == -1);
  }
}

TEST_CASE("a signal reaches the program and nothing else", "[sandbox]") {
  for (auto const tier : both) {
    watched_launch launch{
        shell(tier, "trap 'echo term; exit 7' TERM; echo up; while :; do :; done")};
    REQUIRE(launch.wait_for_line());
    REQUIRE(launch.run_until([&] { return launch.started->launch->program != 0; }));
    CHECK(launch.started->process.signal(SIGTERM));
    REQUIRE(launch.finish());
    CHECK(launch.status == exit_status{exit_kind::exited, 7, false});
    CHECK(launch.output == lines{"up", "term"});
  }
}

TEST_CASE("a launch that is killed before the program runs leaves nothing", "[sandbox]") {
  for (auto const tier : both)
    for (auto round = 0; round < 20; ++round) {
      INFO(to_string(tier) << " after " << round * 500 << " us");
      tether processes;
      auto spec = shell(tier, "while :; do :; done");
      processes.tie(spec);
      watched_launch launch{spec};
      // Each time a little further.
      launch.io.run_until(std::chrono::steady_clock::now() + round * 500us);
      launch.started->process.kill_tree();
      REQUIRE(launch.finish());
      CHECK(to_string(*launch.status) == "signal SIGKILL");
      CHECK(processes.is_free_now());
    }
}

TEST_CASE("daemons that left their parent are gone with the program", "[sandbox]") {
  for (auto const tier : both)
    for (auto const* const how : {"killed", "terminated", "dropped"}) {
      INFO(to_string(tier) << ' ' << how);
      tether processes;
      auto spec = shell(tier, "((echo up; while :; do :; done) &); while :; do :; done");
      processes.tie(spec);
      watched_launch launch{spec};
      REQUIRE(launch.wait_for_line());
      REQUIRE(launch.run_until([&] { return launch.started->launch->program != 0; }));
      if (how == std::string_view{"dropped"}) {
        launch.started.reset();
      } else {
        if (how == std::string_view{"killed"})
          launch.started->process.kill_tree();
        else
          launch.started->process.signal(SIGTERM);
        REQUIRE(launch.run_until([&] { return launch.status.has_value(); }));
      }
      CHECK(processes.is_free_now());
    }
}

TEST_CASE("a program has its streams and what it inherits, and no other descriptor", "[sandbox]") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  unique_fd const ours{ends[0]};
  unique_fd const theirs{ends[1]};
  for (auto const tier : both) {
    auto spec = node(tier, "require('fs').writeSync(9, 'hi');"
                           "let open = [];"
                           "for (let fd = 0; fd < 1024; fd++)"
                           "  try { const s = require('fs').fstatSync(fd);"
                           "    if (s.isSocket() || s.isFile() || s.isDirectory() || fd < 3)"
                           "      open.push(fd) } catch {}"
                           "console.log(open.join(' '))");
    spec.inherited = {{9, theirs.get()}};
    CHECK(summary_of(spec) == "exit code 0\n0 1 2 9");
    char text[3] = {};
    CHECK(::recv(ours.get(), text, 2, MSG_DONTWAIT) == 2);
    CHECK(std::string{text} == "hi");
  }
}

TEST_CASE("the environment is what was named and nothing else", "[sandbox]") {
  for (auto const tier : both) {
    auto spec = node(tier, "console.log(JSON.stringify(process.env))");
    spec.environment = {{"OPENSSL_CONF", "/dev/null"}, {"A B", "x=\"y\""}};
    CHECK(summary_of(spec) == R"(exit code 0)"
                              "\n"
                              R"({"A B":"x=\"y\"","OPENSSL_CONF":"/dev/null"})");
  }
}

TEST_CASE("names with spaces, quotes, newlines and dashes are literal", "[sandbox]") {
  open_folder const folder;
  auto const name = std::string{"--bind / \"it's\"\n$HOME --ro-bind"};
  auto const outside = folder.make(name);
  write_file(outside / "file", "literal\n");
  auto const work = [&](sandbox_tier tier) {
    auto const inside =
        tier == sandbox_tier::strong ? fs::path{"/--args 8\n" + name} : fs::path{outside};
    auto spec = shell(tier, "IFS= read -r line <\"$1/file\"; echo \"$line\"; echo \"$2\"");
    spec.arguments.insert(spec.arguments.end(), {"sh", inside.string(), "--dev-bind / /"});
    spec.bound = {{outside, inside}};
    return summary_of(spec);
  };
  for (auto const tier : both) {
    CHECK(work(tier) == "exit code 0\nliteral\n--dev-bind / /");
    CHECK(as_ordinary_user([&] { return work(tier); }) == "exit code 0\nliteral\n--dev-bind / /");
  }
}

TEST_CASE("a folder below one that only root may enter is bound for root's hosts", "[sandbox]") {
  if (!is_root()) {
    WARN("not root: nothing to be seen here");
    return;
  }
  open_folder const folder;
  auto const closed = folder.path() / "closed";
  auto const extension = closed / "extension";
  fs::create_directories(extension);
  write_file(extension / "file", "found\n");
  ::chmod(closed.c_str(), 0700);
  auto spec = shell(sandbox_tier::strong, "read line </ext/file; echo $line; echo x >/ext/new");
  spec.bound = {{extension, "/ext"}};
  auto const said = summary_of(spec);
  CHECK(said.starts_with("exit code 2\nfound\nerror: "));
  CHECK_FALSE(fs::exists(extension / "new"));
}

TEST_CASE("what is bound for writing can be written, and the rest can't", "[sandbox]") {
  open_folder const folder;
  auto const storage = folder.make("storage");
  auto const work = [&](sandbox_tier tier) {
    auto const inside = tier == sandbox_tier::strong ? fs::path{"/storage"} : storage;
    auto spec = shell(tier, "echo x >\"$1/mine\" && echo written; echo y 2>/dev/null >/tmp/../etc/x"
                            " || echo refused");
    spec.arguments.insert(spec.arguments.end(), {"sh", inside.string()});
    spec.bound = {{storage, inside, true}};
    return summary_of(spec);
  };
  for (auto const tier : both) {
    INFO(to_string(tier));
    auto const said = work(tier);
    CHECK(said.starts_with("exit code "));
    CHECK(said.find("\nwritten") != said.npos);
    CHECK_FALSE(fs::exists("/etc/x"));
    CHECK(fs::remove(storage / "mine"));
  }
}

TEST_CASE("bytes can be placed as files, and a private /tmp has a size", "[sandbox]") {
  auto spec =
      node(sandbox_tier::strong, "const fs = require('fs');"
                                 "console.log(fs.readFileSync('/bulkhead/one.js', 'utf8'));"
                                 "console.log(fs.readFileSync('/bulkhead/none.js', 'utf8').length);"
                                 "try { fs.writeFileSync('/tmp/big', Buffer.alloc(2 << 20)) }"
                                 "catch (failed) { console.log(failed.code) }");
  spec.placed = {{"/bulkhead/one.js", "'use strict'"}, {"/bulkhead/none.js", ""}};
  spec.tmp_size = 1 << 20;
  spec.working_directory = "/tmp";
  auto const expected = "exit code 0\n'use strict'\n0\nENOSPC";
  CHECK(summary_of(spec) == expected);
  CHECK(as_ordinary_user([&] {
          auto own = spec;
          own.run_as.reset();
          return summary_of(own);
        }) == expected);
}

TEST_CASE("limits hold inside", "[sandbox]") {
  for (auto const tier : both) {
    auto spec = shell(tier, "ulimit -n; ulimit -c; ulimit -f");
    spec.limits = {{RLIMIT_NOFILE, 60, 70}, {RLIMIT_FSIZE, 512, 512}};
    CHECK(summary_of(spec) == "exit code 0\n60\n0\n1");
  }
}

TEST_CASE("a program that was swapped after it was verified is refused", "[sandbox]") {
  opened_program const other{"/bin/ls"};
  open_folder const folder;
  auto spec = shell(sandbox_tier::strong, "echo ran");
  // Another file is bound over the place of the verified one.
  spec.bound = {{"/bin/ls", spec.program_path}};
  CHECK(summary_of(spec) ==
        "never ran: its launch failed at step 329; program_changed: Stale file handle");
}

TEST_CASE("a spec that makes no sense is refused before anything runs", "[sandbox]") {
  auto const failure = [](sandbox_spec const& spec) {
    auto const started = start_sandboxed(spec);
    REQUIRE(started.has_error());
    return started.error().code();
  };
  auto const right = shell(sandbox_tier::strong, "exit");
  auto spec = right;
  spec.working_directory = "relative";
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.arguments.push_back(std::string{"a\0b", 3});
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.environment = {{"A=B", "c"}};
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.inherited = {{2, 0}};
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.inherited = {{5, 0}, {5, 1}};
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.bound = {{"/nowhere/at/all", "/ext"}};
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.arguments.resize(5000);
  CHECK(failure(spec) == errc::spawn_failed);
  spec = right;
  spec.bubblewrap = "/nowhere/bwrap";
  CHECK(failure(spec) == errc::sandbox_unavailable);
  spec = right;
  spec.tier = sandbox_tier::basic;
  spec.landlock = false;
  CHECK(failure(spec) == errc::spawn_failed);
  if (is_root()) {
    spec = right;
    spec.run_as.reset();
    CHECK(failure(spec) == errc::spawn_failed);
    spec.run_as = bulkhead::platform::identity{0, 70'123};
    CHECK(failure(spec) == errc::spawn_failed);
  }
}
