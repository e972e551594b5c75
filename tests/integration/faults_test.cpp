#include "service_hosts.hpp"

#include <bulkhead/platform/audit_verify.hpp>

#include <algorithm>
#include <cerrno>
#include <optional>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::only;
using test_hosts::serving_host;
using test_hosts::start;
using test_hosts::tell;
using test_hosts::workspace_rules;
namespace disk = std::filesystem;

namespace {

/// A disk that does not answer for as long as its fault is there.
constexpr auto for_good = 10min;

host_policy quick_to_restart(host_policy host) {
  host.restart.backoff_initial = host.restart.backoff_max = 10ms;
  return host;
}

/// Serves and answers pings, and is soon told when it does not.
host_policy watched_host(std::string id) {
  auto host = serving_host(std::move(id));
  host.health = {.ping_interval = 20ms, .unresponsive_after = 100ms, .kill_after = 20s};
  return host;
}

std::optional<host_event> told(harness& run, std::string_view host, host_event_kind kind) {
  return run.wait_for_event(
      [=](host_event const& event) { return event.host == host && event.kind == kind; });
}

/// The name of each entry that is not `expected`.
std::string more_than(disk::path const& folder, std::vector<std::string> const& expected) {
  std::string found;
  for (auto const& entry : disk::directory_iterator{folder})
    if (auto const name = entry.path().filename().string();
        std::ranges::find(expected, name) == expected.end())
      found += name + '\n';
  return found;
}

/// A workspace with a file and a folder, and a host that may do what it likes in there.
struct workspace : temporary_directory {
  explicit workspace(std::string_view more = {})
      : run{(write("ws/file", "before"), write("ws/folder/one", "1"),
             policy_text(files_host(workspace_rules) + std::string{more})),
            path()} {
    REQUIRE(run.start());
  }
  std::string content() const { return content_of(path() / "ws/file"); }

  harness run;
};

/// A call of context.fs that nobody waits for yet.
std::future<json> begin_fs(harness& run, boost::json::array call) {
  return run.host("files").async_command("fs", std::move(call), patience, use_future);
}

bool is_open(std::future<json> const& call) {
  return call.wait_for(0s) == std::future_status::timeout;
}

} // namespace

TEST_CASE("a host that is killed loses its open requests and is started again", "[faults]") {
  harness run{only(quick_to_restart(serving_host()))};
  REQUIRE(run.start());
  auto const first = run.host().status().pid;
  auto open = run.host().async_request("hang", json{}, 10min, use_future);
  REQUIRE(run.call("echo")); // it has them both
  REQUIRE(kill(run.host()));
  auto const lost = outcome(std::move(open));
  REQUIRE(!lost);
  CHECK(lost.error().code() == errc::connection_lost);
  CHECK(lost.error().host_reason() == reason::signal);
  REQUIRE(run.wait_for_entry("raw", host_state::Restarting));
  REQUIRE(run.wait_for("raw", host_state::Running));
  CHECK(run.call("echo"));
  CHECK(run.host().status().pid != first);
  CHECK(run.host().status().last_end_detail.find("SIGKILL") != std::string::npos);
}

TEST_CASE("a host without a process is neither killed nor stopped", "[faults]") {
  harness run{only(serving_host())};
  CHECK(!kill(run.host()));
  CHECK(!stopped_host{run.host()});
  CHECK(!kill(run->host("another")));
}

TEST_CASE("a host that is stopped is told, and goes on with the end of the fault", "[faults]") {
  harness run{only(watched_host("raw"))};
  REQUIRE(run.start());
  auto const pid = run.host().status().pid;
  {
    stopped_host const stopped{run.host()};
    REQUIRE(stopped);
    CHECK(told(run, "raw", host_event_kind::unresponsive));
  }
  CHECK(told(run, "raw", host_event_kind::responsive));
  CHECK(run.call("echo"));
  CHECK(run.host().status().pid == pid);
}

TEST_CASE("a host that stays stopped is ended as hung and started again", "[faults]") {
  auto host = quick_to_restart(watched_host("raw"));
  host.health.kill_after = 300ms;
  harness run{only(host)};
  REQUIRE(run.start());
  stopped_host const stopped{run.host()};
  REQUIRE(stopped);
  auto const end = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->why == reason::hung);
  REQUIRE(run.wait_for("raw", host_state::Running));
  CHECK(run.call("echo"));
}

TEST_CASE("a process that is refused is a failed launch with a remedy, until it is not any more",
          "[faults]") {
  auto const tier = GENERATE(sandbox_tier::none, sandbox_tier::strong);
  INFO("contained: " << (tier != sandbox_tier::none));
  auto host = test_hosts::echo_extension();
  host.sandbox.require = tier;
  host.restart.max_restarts = 0;
  host.autostart = false;
  harness run{policy_of({host, serving_host("other")})};
  REQUIRE(run.start());
  {
    refused_spawn const fault;
    CHECK(!start(run.host()));
    auto const failed = run.wait_for_entry("echo", host_state::Unhealthy);
    REQUIRE(failed);
    INFO(failed->detail);
    CHECK(failed->why == reason::launch_failed);
    CHECK(failed->detail.find("Resource temporarily unavailable") != std::string::npos);
    CHECK(failed->detail.find("a limit on processes or memory") != std::string::npos);
    CHECK(run.host().status().state == host_state::Crashed);
    CHECK(run.call_host("other", "echo"));
  }
  auto const started = start(run.host());
  INFO(run.host().status().detail);
  REQUIRE(started);
  CHECK(outcome(run.host().async_command("echo", {"hello"}, use_future)));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("processes that are refused use up the restart budget, and no more than that",
          "[faults]") {
  auto host = quick_to_restart(serving_host());
  host.restart.max_restarts = 2;
  harness run{only(host)};
  REQUIRE(run.start());
  {
    refused_spawn const fault;
    REQUIRE(kill(run.host()));
    REQUIRE(run.wait_for("raw", host_state::Crashed));
  }
  auto const status = run.host().status();
  CHECK(status.why == reason::restart_budget_spent);
  CHECK(status.restarts == 2);
  CHECK(run.path_of("raw") == "Stopped Starting Running Unhealthy Restarting Starting Unhealthy "
                              "Restarting Starting Unhealthy Crashed");
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a restart that was refused is made once there is room for a process", "[faults]") {
  auto host = quick_to_restart(serving_host());
  host.restart.max_restarts = 1000;
  harness run{only(host)};
  REQUIRE(run.start());
  std::optional<refused_spawn> fault{std::in_place};
  REQUIRE(kill(run.host()));
  REQUIRE(run.wait_for_event([](host_event const& event) {
    return event.to == host_state::Unhealthy && event.why == reason::launch_failed;
  }));
  fault.reset();
  REQUIRE(run.wait_for("raw", host_state::Running));
  CHECK(run.call("echo"));
  CHECK(run.every_transition_was_legal());
}

TEST_CASE("a full disk refuses what is written and leaves nothing half written", "[faults]") {
  workspace here;
  auto& run = here.run;
  auto const storage = std::string{outcome(run.host().async_command("folders", {}, use_future))
                                       .value()
                                       .at("storage")
                                       .as_string()};
  REQUIRE(fs(run, "writeFile", storage + "/kept", "before").code.empty());
  {
    full_disk const fault;
    for (auto const& ended :
         {fs(run, "writeFile", "file", "after"), fs(run, "writeFile", "new", "after"),
          fs(run, "copy", "file", "copied"), fs(run, "copy", "folder", "copied"),
          fs(run, "createDirectory", "made"), fs(run, "writeFile", storage + "/kept", "after")}) {
      CHECK(ended.code == "file_unavailable");
      INFO(ended.failed);
      CHECK(ended.failed.at("message").as_string().find("No space left") != std::string::npos);
    }
    CHECK(more_than(here.path() / "ws", {"file", "folder"}) == "");
    CHECK(more_than(storage, {"kept"}) == "");
    CHECK(here.content() == "before");
    CHECK(fs(run, "readFile", storage + "/kept", "utf8").value == json("before"));
    CHECK(fs(run, "delete", storage + "/kept").code.empty());
  }
  CHECK(fs(run, "writeFile", "file", "after").code.empty());
  CHECK(here.content() == "after");
}

TEST_CASE("what a full disk keeps from the audit log is refused where it has to be recorded",
          "[faults]") {
  workspace here{"[audit]\nfile = \"audit.jsonl\"\nrequired = true\n"};
  auto& run = here.run;
  REQUIRE(fs(run, "delete", "folder/one").code.empty());
  {
    full_disk const fault;
    CHECK(fs(run, "delete", "file").code == "audit_unavailable");
    CHECK(run.wait_for_log("the audit log can't be written"));
    CHECK(fs(run, "readFile", "file", "utf8").value == json("before"));
    CHECK(run.host().status().state == host_state::Running);
  }
  CHECK(fs(run, "delete", "file").code.empty());
  CHECK(run.wait_for_log("the audit log is written again"));
  run.destroy();
  auto const report = platform::verify_audit(here.path() / "audit.jsonl");
  REQUIRE(report);
  CHECK(!report->finding);
  CHECK(content_of(here.path() / "audit.jsonl").find("audit.lost") != std::string::npos);
}

TEST_CASE("a vault on a full disk keeps what it has, and says so", "[faults]") {
  temporary_directory files;
  disk::permissions(files.write("passphrase", "correct horse battery staple"),
                    disk::perms::owner_read | disk::perms::owner_write);
  auto host = node_host("one", test_hosts::folder / "extensions/secrets");
  host.permissions.insert(permission::secrets_read);
  host.permissions.insert(permission::secrets_write);
  auto rules = only(host);
  rules.secrets.backend = secret_backend_kind::vault;
  rules.secrets.vault = files.path() / "vault";
  rules.secrets.passphrase_file = files.path() / "passphrase";
  rules.secrets.cache_ttl = 0ms;
  harness run{rules};
  REQUIRE(run.start());
  REQUIRE(tell(run, "one", "secrets", {"set", "token", "before"}).code.empty());
  {
    full_disk const fault;
    CHECK(tell(run, "one", "secrets", {"set", "token", "after"}).code == "secrets_unavailable");
    CHECK(tell(run, "one", "secrets", {"get", "token"}).value == json("before"));
    CHECK(!disk::exists(files.path() / "vault.new"));
  }
  CHECK(tell(run, "one", "secrets", {"set", "token", "after"}).code.empty());
  CHECK(tell(run, "one", "secrets", {"get", "token"}).value == json("after"));
}

TEST_CASE("a disk that does not answer holds up those who wait for it, and nobody else",
          "[faults]") {
  temporary_directory files;
  files.write("file", "content");
  auto host = test_hosts::files_host_in(files.path(), "files");
  host.health = watched_host("").health;
  harness run{policy_of({host, watched_host("other")})};
  REQUIRE(run.start());
  REQUIRE(tell(run, "files", "watch", {"w", "."}).code.empty());
  std::optional<slow_disk> fault{std::in_place, for_good};
  auto reading = begin_fs(run, {"readFile", "file", "utf8"});
  files.write("changed", ""); // which the loop hears of
  // As often as a loop that waited once would have been seen to wait.
  for (int i = 0; i < 3; ++i) {
    REQUIRE(run.call_host("other", "echo"));
    REQUIRE(tell(run, "files", "request", {"no-such-type", object{}}).code ==
            "permission_denied"); // the host itself too
  }
  {
    stopped_host const stopped{run.host("other")};
    REQUIRE(told(run, "other", host_event_kind::unresponsive)); // so pings go out
  }
  REQUIRE(told(run, "other", host_event_kind::responsive)); // and are answered
  REQUIRE(is_open(reading));
  CHECK(run.host("files").status().state == host_state::Running);
  fault.reset();
  auto const read = outcome(std::move(reading));
  REQUIRE(read);
  CHECK(read->at("value") == json("content"));
}

TEST_CASE("a slow disk is slow to all that is on it, and a shutdown ends", "[faults]") {
  workspace here{"[audit]\nfile = \"audit.jsonl\"\n"};
  slow_disk const fault{20ms};
  auto const begin = std::chrono::steady_clock::now();
  REQUIRE(fs(here.run, "writeFile", "file", "after").code.empty());
  CHECK(std::chrono::steady_clock::now() - begin >= 40ms); // it is looked up and written
  CHECK(here.content() == "after");
  auto writing = begin_fs(here.run, {"writeFile", "file", "last"});
  REQUIRE(outcome(here.run->async_shutdown(use_future)));
  CHECK(here.run.host().status().state == host_state::Stopped);
  outcome(std::move(writing)); // ended, in whichever way
}

TEST_CASE("of two faults of one kind the inner one holds, and the outer one after it", "[faults]") {
  using platform::fault_point;
  auto const refused = [](fault_point where, int by) {
    errno = 0;
    return platform::is_refused(where) && errno == by;
  };
  CHECK(!platform::is_refused(fault_point::disk_write));
  {
    full_disk const outer;
    CHECK(refused(fault_point::disk_write, ENOSPC));
    {
      slow_disk const inner{0ms};
      CHECK(!platform::is_refused(fault_point::disk_write));
    }
    CHECK(refused(fault_point::disk_write, ENOSPC));
    CHECK(!platform::is_refused(fault_point::spawn));
  }
  CHECK(!platform::is_refused(fault_point::disk_write));
}
