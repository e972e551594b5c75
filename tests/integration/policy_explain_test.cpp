// What `bulkhead policy explain` says of a policy and an extension on the disk.

#include "run_command.hpp"
#include "shared/text.hpp"

#include <bulkhead/config/permission.hpp>
#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

using namespace bulkhead::testing;

namespace {

class explained_policy {
public:
  explained_policy() {
    folder_.write("ext/package.json", R"({"name": "ext", "main": "main.js",
        "bulkhead": {"permissions": ["fileSystem.read", "workspace.read", "clipboard.read"]}})");
    folder_.write("ext/main.js", "");
    policy_ = folder_.write("policy.toml", R"([runtime]
state_dir = "state"
[defaults.sandbox]
require = "none"
[hosts.formatter]
extension = "ext"
permissions = ["fileSystem.read", "workspace.read", "env.read"]
[hosts.formatter.filesystem]
workspace = ["docs"]
read = ["docs"]
deny = ["**/.git"]
)");
  }

  std::string path() const { return policy_.string(); }
  std::string below(std::string const& name) const { return (folder_.path() / name).string(); }

  ran_command explain(std::vector<std::string> const& question,
                      std::string const& host = "formatter") {
    return run_bulkhead({"policy", "explain", path(), host}, question);
  }

private:
  temporary_directory folder_;
  std::filesystem::path policy_;
};

} // namespace

TEST_CASE("explain tells what is allowed, and by which line", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"fileSystem.read", "guide.md"});
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(told.errors.empty());
  CHECK(told.output.starts_with("allowed: formatter fileSystem.read " +
                                policy.below("docs/guide.md") + '\n'));
  CHECK(contains(told.output, "granted by hosts.formatter.permissions (" + policy.path() + ":7)"));
  CHECK(contains(told.output, "the extension asks for it"));
  CHECK(contains(told.output, "filesystem.read: \"docs\" (" + policy.path() + ":10)"));
}

TEST_CASE("explain tells which line denies, and that is no failure", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"fileSystem.read", ".git/config"});
  CAPTURE(told.output);
  CHECK(told.exit_code == 0);
  CHECK(told.output.starts_with("denied: "));
  CHECK(contains(told.output, "denied by hosts.formatter.filesystem.deny: \"**/.git\" (" +
                                  policy.path() + ":11)"));
  CHECK(contains(told.output, "otherwise    allowed by hosts.formatter.filesystem.read"));
}

TEST_CASE("explain tells the nearest rule where none allows a path", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"fileSystem.read", policy.below("other")});
  CAPTURE(told.output);
  CHECK(contains(told.output, "no rule allows it"));
  CHECK(contains(told.output, "nearest      hosts.formatter.filesystem.read: \"docs\""));
  CHECK(contains(told.output,
                 "add \"" + policy.below("other") + "\" to hosts.formatter.filesystem.read"));
}

TEST_CASE("explain tells what the extension's package.json lacks", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"env.read"});
  CAPTURE(told.output);
  CHECK(told.output.starts_with("denied: formatter env.read\n"));
  CHECK(contains(told.output, "the extension does not ask for it"));
  CHECK(contains(told.output, policy.below("ext/package.json")));
}

TEST_CASE("explain tells what the policy does not grant", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"clipboard.read"});
  CAPTURE(told.output);
  CHECK(told.output.starts_with("denied: formatter clipboard.read\n"));
  CHECK(contains(told.output, "not granted by hosts.formatter.permissions"));
  CHECK(contains(told.output, "add \"clipboard.read\" to hosts.formatter.permissions\n"));
}

TEST_CASE("explain tells of the workspace by its folders", "[command]") {
  explained_policy policy;
  auto const inside = policy.explain({"workspace.read", policy.below("docs/a")});
  CHECK(inside.output.starts_with("allowed: "));
  CHECK(contains(inside.output, "hosts.formatter.filesystem.workspace"));
  auto const outside = policy.explain({"workspace.read", policy.below("a")});
  CHECK(outside.output.starts_with("denied: "));
}

TEST_CASE("explain --json is one line of JSON", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"fileSystem.read", ".git/config", "--json"});
  CHECK(told.exit_code == 0);
  auto const answer = boost::json::parse(told.output);
  CHECK(answer.at("host") == "formatter");
  CHECK(answer.at("allowed") == false);
  CHECK(answer.at("rule").at("line") == 11);
  CHECK(answer.at("asked_for") == true);
}

TEST_CASE("explain refuses what it can't answer, and says what was meant", "[command]") {
  explained_policy policy;
  auto const permission = policy.explain({"fileSystem.raed"});
  CHECK(permission.exit_code == 1);
  CHECK(contains(permission.errors, "did you mean \"fileSystem.read\"?"));
  CHECK(contains(permission.errors, "policy_unknown_permission"));

  auto const host = policy.explain({"env.read"}, "formater");
  CHECK(host.exit_code == 1);
  CHECK(contains(host.errors, "did you mean \"formatter\"?"));

  auto const path = policy.explain({"env.read", "guide.md"});
  CHECK(path.exit_code == 2);
  CHECK(contains(path.errors, "env.read is not about paths"));

  auto const climbing = policy.explain({"fileSystem.read", "file:///../x"});
  CHECK(climbing.exit_code == 1);
  CHECK(contains(climbing.errors, "invalid_payload"));
}

TEST_CASE("what a question holds can't steer a terminal", "[command]") {
  explained_policy policy;
  auto const told = policy.explain({"fileSystem.read", "a\xe2\x80\xae"
                                                       "b"});
  CHECK(told.exit_code == 0);
  CHECK(contains(told.output, "a\\u{202e}b"));
}

TEST_CASE("the shell completes every permission", "[command]") {
  auto const script = content_of(BULKHEAD_TEST_SOURCE_DIR "/tools/completion/bulkhead.bash");
  for (auto const each : bulkhead::all_permissions()) {
    CAPTURE(to_string(each));
    CHECK(contains(script, to_string(each)));
  }
}
