#include "served_process.hpp"
#include "service_hosts.hpp"

#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/audit_verify.hpp>

#include <csignal>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace test_hosts;
using boost::asio::use_future;

namespace {

void write(std::filesystem::path const& file, std::string_view text) {
  std::ofstream{file, std::ios::binary} << text;
}

/// A runtime with the host "files", and the policy that it was made with.
struct changing_policy {
  temporary_directory home;
  policy now = policy_of({files_host_in(home.path(), "files")});
  harness run{now};

  changing_policy() {
    write(home.path() / "a", "one");
    REQUIRE(run.start());
  }
  result<std::vector<policy_change>> update() {
    auto next = now;
    next.state_dir = run->active_policy()->state_dir;
    return outcome(run->async_update_policy(std::move(next), use_future));
  }
};

} // namespace

TEST_CASE(
    "a permission that is taken away is gone at the next request, and back when it is given") {
  changing_policy x;
  auto const path = (x.home.path() / "a").string();
  CHECK(fs(x.run, "readFile", path, "utf8").value == "one");

  auto const all = std::exchange(x.now.hosts.front().permissions, {});
  auto const changes = x.update();
  REQUIRE(changes.has_value());
  REQUIRE(changes->size() == 1);
  CHECK(changes->front().key == "hosts.files.permissions");
  CHECK(changes->front().takes_effect == policy_change::effect::now);
  auto const denied = fs(x.run, "readFile", path, "utf8");
  CHECK(denied.code == "permission_denied");
  CHECK(denied.failed.at("permission") == "fileSystem.read");

  x.now.hosts.front().permissions = all;
  REQUIRE(x.update().has_value());
  CHECK(fs(x.run, "readFile", path, "utf8").value == "one");
}

TEST_CASE("path rules and rate limits change while a host runs") {
  changing_policy x;
  auto const path = (x.home.path() / "a").string();
  auto& host = x.now.hosts.front();
  host.filesystem.rules.deny = {{"**/a", "**/a", 1, "the test", false}};
  REQUIRE(x.update().has_value());
  CHECK(fs(x.run, "readFile", path, "utf8").code == "path_denied");

  host.filesystem.rules.deny.clear();
  host.rate_limit = {1, 1, {}};
  REQUIRE(x.update().has_value());
  CHECK(fs(x.run, "readFile", path, "utf8").value == "one");
  CHECK(fs(x.run, "readFile", path, "utf8").code == "rate_limited");
}

TEST_CASE("a permission that is taken away is missing in the sandbox of the next start") {
  temporary_directory home;
  auto const extension = home.path() / "extension";
  std::filesystem::copy(folder / "extensions/contained", extension);
  home.write("extension/package.json",
             R"({"name": "contained", "publisher": "bulkhead", "version": "1.0.0",
                 "main": "main.js", "bulkhead": {"permissions": ["process.spawn"]}})");
  auto host = node_host("contained", extension);
  host.sandbox.require = sandbox_tier::strong;
  host.permissions.insert(permission::process_spawn);
  harness run{only(host)};
  REQUIRE(run.start());
  auto const code_of_spawn = [&] {
    return outcome(run.host().async_command("spawn", {}, use_future)).value().at("code");
  };
  auto const granted = code_of_spawn(); // there is no /bin/true in its root
  auto next = *run->active_policy();
  next.hosts.front().permissions = {};
  REQUIRE(outcome(run->async_update_policy(next, use_future)).has_value());
  REQUIRE(test_hosts::stop(run.host()).has_value());
  REQUIRE(test_hosts::start(run.host()).has_value());
  CHECK(code_of_spawn() != granted);
}

TEST_CASE("a policy whose rules can't be compiled changes nothing") {
  changing_policy x;
  auto const path = (x.home.path() / "a").string();
  auto const before = x.run->active_policy();
  x.now.hosts.front().permissions = {};
  x.now.hosts.front().filesystem.rules.deny = {{"/x/[", "[", 1, "the test", false}};
  auto const refused = x.update();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == errc::policy_invalid_pattern);
  CHECK(x.run->active_policy() == before);
  CHECK(fs(x.run, "readFile", path, "utf8").value == "one");
}

TEST_CASE("a policy that others could have changed meanwhile changes nothing") {
  changing_policy changing;
  changing.now.file = changing.home.write("policy.toml", "");
  changing.now.hosts[0].rate_limit.burst += 1;
  std::filesystem::permissions(changing.now.file, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  auto const refused = changing.update();
  REQUIRE(!refused);
  CHECK(refused.error().code() == errc::integrity_unsafe_owner);
  CHECK(changing.run->active_policy()->hosts[0].rate_limit.burst !=
        changing.now.hosts[0].rate_limit.burst);
  std::filesystem::permissions(changing.now.file, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::remove);
  CHECK(changing.update().has_value());
}

TEST_CASE("each change of the policy is in the audit log") {
  temporary_directory home;
  auto rules = policy_of({files_host_in(home.path(), "files")});
  rules.audit.file = home.path() / "audit.jsonl";
  {
    harness run{rules};
    auto next = *run->active_policy();
    next.hosts.front().permissions = {};
    REQUIRE(outcome(run->async_update_policy(next, use_future)).has_value());
  }
  auto const log = content_of(rules.audit.file);
  CHECK(log.find(R"("what":"policy.updated","object":"hosts.files.permissions")") !=
        std::string::npos);
  auto const verified = platform::verify_audit(rules.audit.file);
  REQUIRE(verified.has_value());
  CHECK_FALSE(verified->finding.has_value());
}

// ---- bulkhead run -----------------------------------------------------------------------------

namespace {

std::string greeter_policy(std::string_view permissions) {
  return policy_text("[hosts.greeter]\nextension = \"" BULKHEAD_TEST_SOURCE_DIR
                     "/tools/examples/greeter\"\npermissions = [" +
                     std::string{permissions} + "]\n");
}

/// The command with what it says on standard error among its output.
std::vector<std::string> run_with_errors(std::filesystem::path const& policy) {
  return {"/bin/sh", "-c",           "exec \"$0\" \"$@\" 2>&1", BULKHEAD_TEST_COMMAND,
          "run",     policy.string()};
}

} // namespace

TEST_CASE("run reads its policy again when the file changes, and says what is different",
          "[command]") {
  temporary_directory home;
  auto const file = home.path() / "policy.toml";
  write(file, greeter_policy("\"ui.notifications\""));
  served_process served{run_with_errors(file)};
  served.wait_for_output("greeter: activated");
  write(home.path() / "other", greeter_policy(""));
  std::filesystem::rename(home.path() / "other", file);
  served.wait_for_output("the policy was read again: 1 changes");
  write(file, "[hosts.greeter]\nextensoin = 1\n");
  served.wait_for_output("the policy stays as it was");
  served.signal(SIGTERM);
  auto const ended = served.wait();
  CHECK(ended.exit_code == 0);
  CHECK(ended.output.find("hosts.greeter.permissions: [\"ui.notifications\"] -> []") !=
        std::string::npos);
  CHECK(ended.output.find("did you mean \"extension\"?") != std::string::npos);
}

TEST_CASE("run reads its policy again at SIGHUP", "[command]") {
  temporary_directory home;
  auto const file = home.path() / "policy.toml";
  write(file, greeter_policy("\"ui.notifications\""));
  served_process served{run_with_errors(file)};
  served.wait_for_output("greeter: activated");
  served.signal(SIGHUP);
  served.wait_for_output("the policy was read again: 0 changes");
  served.signal(SIGTERM);
  CHECK(served.wait().exit_code == 0);
}
