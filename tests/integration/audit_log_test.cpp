#include "service_hosts.hpp"

#include <bulkhead/harness/virtual_clock.hpp>
#include <bulkhead/platform/audit_verify.hpp>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using boost::json::object;
using test_hosts::files_host;
using test_hosts::fs;
using test_hosts::tell;
using test_hosts::workspace_rules;
namespace disk = std::filesystem;

namespace {

/// A workspace and a log that outlives the runtime.
struct audited : temporary_directory {
  disk::path const log = path() / "audit.jsonl";

  explicit audited(std::string_view rules = {}, std::string_view host_rules = {})
      : run{(write("ws/file", "content"), write("ws/key.pem", ""),
             policy_text(files_host(workspace_rules, host_rules) +
                         "[secrets]\nbackend = \"memory\"\n" + "[audit]\nfile = \"audit.jsonl\"\n" +
                         std::string{rules})),
            path()} {
    REQUIRE(run.start());
  }

  /// Stops the host, ends the runtime, and returns what the log then holds of requests.
  std::vector<object> records() {
    CHECK(test_hosts::stop(run.host()));
    run.destroy();
    auto const report = platform::verify_audit(log);
    REQUIRE(report);
    CHECK(!report->finding);
    std::vector<object> all;
    std::istringstream lines{content_of(log)};
    for (std::string line; std::getline(lines, line);) {
      auto record = boost::json::parse(line).as_object();
      if (record.at("host") == json("files") && record.at("what") != json("host.started"))
        all.push_back(std::move(record));
    }
    return all;
  }

  harness run;
};

std::string text(object const& record, std::string_view name) {
  return std::string{record.at(name).as_string()};
}

/// The line of the policy in which a text stands first, counted as a person does.
std::string line_of(std::string const& policy, std::string_view part) {
  auto const at = policy.find(part);
  REQUIRE(at != std::string::npos);
  return "line " +
         std::to_string(1 + std::count(policy.begin(),
                                       policy.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

/// A host of which few requests a second are served, and a log that outlives the runtime.
struct flooded : temporary_directory {
  std::filesystem::path const log = path() / "audit.jsonl";

  flooded()
      : run{[this] {
        write("file", "");
        auto host = test_hosts::files_host_in(path(), "files");
        host.rate_limit = {1, 30, {}};
        host.restart.never_on_exit_codes = {3};
        auto rules = policy_of({host});
        rules.audit.file = log;
        return rules;
      }()} {
    REQUIRE(run.start());
  }

  /// How many requests of a burst were refused.
  std::int64_t burst() {
    auto const ended = outcome(
        run.host().async_command("burst", {25, "fs.stat", object{{"path", "file"}}}, use_future));
    REQUIRE(ended);
    auto const* const refused = ended->at("codes").as_object().if_contains("rate_limited");
    return refused ? refused->as_int64() : 0;
  }

  /// Ends the runtime, and returns how many refused requests the log then tells of.
  std::int64_t recorded() {
    run.destroy();
    auto const report = platform::verify_audit(log);
    REQUIRE(report);
    CHECK(!report->finding);
    CHECK(report->records < 20);
    std::int64_t counted = 0;
    std::istringstream lines{content_of(log)};
    for (std::string line; std::getline(lines, line);)
      if (auto const record = boost::json::parse(line); record.at("code") == json("rate_limited")) {
        CHECK(record.at("rule") == json("rate_limit"));
        CHECK(record.at("outcome") == json("denied"));
        counted += record.at("count").to_number<std::int64_t>();
      }
    return counted;
  }

  harness run;
};

} // namespace

TEST_CASE("what changes something and what is denied is recorded, each once and with its rule") {
  audited here;
  auto& run = here.run;
  auto const name = [&](std::string_view below) { return (here.path() / "ws" / below).string(); };
  CHECK(fs(run, "readFile", "file").code.empty()); // changes nothing
  CHECK(fs(run, "writeFile", "new", "").code.empty());
  CHECK(fs(run, "rename", "new", "old").code.empty());
  CHECK(fs(run, "readFile", "key.pem").code == "path_denied");
  CHECK(fs(run, "readFile", "/etc/passwd").code == "path_denied");
  CHECK(fs(run, "delete", "a\nb").code == "invalid_payload");
  CHECK(tell(run, "files", "request", {"secretGet", object{{"key", "token"}}}).code ==
        "permission_denied");
  CHECK(tell(run, "files", "request", {"made-up", object{}}).code == "permission_denied");
  auto const policy = policy_text(files_host(workspace_rules));
  auto const records = here.records();

  struct expected {
    std::string what, object, rule, outcome, code;
  };
  std::vector<expected> const all{
      {"fs.writeFile", name("new"),
       "ws (hosts.files.filesystem.write, " + line_of(policy, "write = [") + ")", "allowed", ""},
      {"fs.rename", name("new") + " -> " + name("old"),
       "ws (hosts.files.filesystem.write, " + line_of(policy, "write = [") + ")", "allowed", ""},
      {"fs.readFile", name("key.pem"),
       "**/*.pem (hosts.files.filesystem.deny, " + line_of(policy, "deny = [") + ")", "denied",
       "path_denied"},
      {"fs.readFile", "/etc/passwd", "fileSystem.read", "denied", "path_denied"},
      {"fs.delete", "a\nb", "fileSystem.delete", "denied", "invalid_payload"},
      {"secretGet", "token", "secrets.read", "denied", "permission_denied"},
      {"made-up", "", "", "denied", "permission_denied"},
  };
  REQUIRE(records.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(boost::json::serialize(records[i]));
    CHECK(text(records[i], "what") == all[i].what);
    CHECK(text(records[i], "object") == all[i].object);
    CHECK(text(records[i], "rule") == all[i].rule);
    CHECK(text(records[i], "outcome") == all[i].outcome);
    CHECK(text(records[i], "code") == all[i].code);
    CHECK(records[i].at("count") == json(1));
  }
}

TEST_CASE("each access to a secret is recorded with its key and without its value") {
  temporary_directory files;
  auto host = node_host("one", test_hosts::folder / "extensions/secrets");
  host.permissions.insert(permission::secrets_read);
  host.permissions.insert(permission::secrets_write);
  auto rules = policy_of({host});
  rules.secrets.backend = secret_backend_kind::memory;
  rules.audit.file = files.path() / "audit.jsonl";
  harness run{rules};
  REQUIRE(run.start());
  CHECK(tell(run, "one", "secrets", {"set", "token", "the value"}).code.empty());
  CHECK(tell(run, "one", "secrets", {"get", "token"}).code.empty());
  CHECK(tell(run, "one", "secrets", {"delete", "token"}).code.empty());
  CHECK(tell(run, "one", "secrets", {"list"}).code.empty());
  REQUIRE(test_hosts::stop(run.host()));
  run.destroy();
  auto const log = content_of(rules.audit.file);
  for (auto const* part :
       {R"("what":"secretStore","object":"token","rule":"secrets.write","outcome":"allowed")",
        R"("what":"secretGet","object":"token","rule":"secrets.read","outcome":"allowed")",
        R"("what":"secretDelete","object":"token","rule":"secrets.write","outcome":"allowed")",
        R"("what":"secretList","object":"","rule":"secrets.read","outcome":"allowed")"}) {
    INFO(part);
    auto const first = log.find(part);
    CHECK(first != std::string::npos);
    CHECK(log.find(part, first + 1) == std::string::npos);
  }
  CHECK(log.find("the value") == std::string::npos);
}

TEST_CASE("at the level everything, reading is recorded as well") {
  audited here{"level = \"everything\"\n"};
  CHECK(fs(here.run, "readFile", "file").code.empty());
  auto const records = here.records();
  CHECK(std::ranges::count(records, json("fs.readFile"),
                           [](object const& record) { return record.at("what"); }) == 1);
}

TEST_CASE("a flood of refused requests is a few records that count all of them") {
  flooded here;
  std::int64_t refused = 0;
  for (int i = 0; i < 40; ++i) // each in a read of its own
    refused += here.burst();
  // A host that is stopped would take its commands back, and be refused that as well.
  CHECK(!outcome(here.run.host().async_command("exit", {3}, use_future)));
  REQUIRE(here.run.wait_for("files", host_state::Crashed));
  CHECK(here.recorded() == refused);
}

TEST_CASE("a flood is counted to its last request when the runtime has ended at once") {
  flooded here;
  std::int64_t refused = 0;
  for (int i = 0; i < 4; ++i)
    refused += here.burst();
  CHECK(here.recorded() == refused);
}

TEST_CASE("what can't be recorded is refused where the policy requires it, and reading goes on") {
  temporary_directory files;
  files.write("ws/file", "content");
  harness run{policy_text(files_host(workspace_rules) +
                          "[audit]\nfile = \"missing/audit.jsonl\"\nrequired = true\n"),
              files.path()};
  REQUIRE(run.start());
  CHECK(fs(run, "readFile", "file", "utf8").value == json("content"));
  CHECK(fs(run, "writeFile", "file", "changed").code == "audit_unavailable");
  CHECK(fs(run, "delete", "file").code == "audit_unavailable");
  CHECK(fs(run, "readFile", "../outside").code == "path_denied"); // no more than before
  CHECK(content_of(files.path() / "ws/file") == "content");
  CHECK(run.wait_for_log("the audit log can't be written"));

  disk::create_directory(files.path() / "missing");
  CHECK(fs(run, "writeFile", "file", "changed").code.empty());
  CHECK(run.wait_for_log("the audit log is written again"));
  REQUIRE(test_hosts::stop(run.host()));
  run.destroy();
  auto const log = files.path() / "missing/audit.jsonl";
  CHECK(content_of(log).find("audit.lost") != std::string::npos);
  auto const report = platform::verify_audit(log);
  REQUIRE(report);
  CHECK(!report->finding);
}

TEST_CASE("a log that can't be written is loud where it is not required, and stops nothing") {
  temporary_directory files;
  files.write("ws/file", "content");
  disk::create_directory(files.path() / "audit.jsonl");
  harness run{policy_text(files_host(workspace_rules) + "[audit]\nfile = \"audit.jsonl\"\n"),
              files.path()};
  REQUIRE(run.start());
  CHECK(fs(run, "writeFile", "file", "changed").code.empty());
  CHECK(content_of(files.path() / "ws/file") == "changed");
  CHECK(run.wait_for_log("the audit log can't be written"));
}

TEST_CASE("records that nobody waits for are written together, a moment later") {
  virtual_clock clock;
  temporary_directory files;
  files.write("ws/file", "content");
  harness run{policy_text(files_host(workspace_rules) + "[audit]\nfile = \"audit.jsonl\"\n"),
              files.path()};
  REQUIRE(run.start()); // recorded at once
  REQUIRE(fs(run, "createDirectory", "one").code.empty());
  REQUIRE(fs(run, "createDirectory", "two").code.empty());
  auto const log = files.path() / "audit.jsonl";
  auto const holds_both = [&] {
    auto const written = content_of(log);
    return written.find("/one") != written.npos && written.find("/two") != written.npos;
  };
  run.settle();
  CHECK(!holds_both());
  auto const late = std::chrono::steady_clock::now() + 30s;
  clock.advance(5ms);
  while (!holds_both() && std::chrono::steady_clock::now() < late)
    std::this_thread::yield();
  CHECK(holds_both());
}

TEST_CASE("who waits for a record does not wait for the next group as well") {
  virtual_clock clock;
  temporary_directory files;
  files.write("ws/file", "content");
  harness run{policy_text(files_host(workspace_rules) +
                          "[audit]\nfile = \"audit.jsonl\"\nrequired = true\n"),
              files.path()};
  REQUIRE(run.start());
  for (auto const* const name : {"one", "two"})
    CHECK(fs(run, "createDirectory", name).code.empty());
}

TEST_CASE("what was answered is in the log when the runtime has ended at once") {
  for (int i = 0; i < 10; ++i) {
    temporary_directory files;
    auto rules = policy_of({test_hosts::files_host_in(files.path(), "files")});
    rules.audit.file = files.path() / "audit.jsonl";
    harness run{rules};
    REQUIRE(run.start());
    REQUIRE(fs(run, "createDirectory", "made").code.empty());
    run.destroy();
    CHECK(content_of(rules.audit.file).find("fs.createDirectory") != std::string::npos);
  }
}
