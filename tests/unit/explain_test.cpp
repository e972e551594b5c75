#include <bulkhead/config/explain.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

using texts = std::vector<std::string>;

/// Line 6 grants, line 9 to 11 are the path rules.
constexpr auto ordinary = R"([runtime]
state_dir = "/state"
[defaults.sandbox]
require = "none"
[hosts.h]
permissions = ["fileSystem.read", "fileSystem.delete", "workspace.read"]
runtime = "command"
command = ["x"]
filesystem.workspace = ["docs", "more"]
filesystem.read = ["docs", "data/*.json"]
filesystem.deny = ["**/.git", "secret"]
)";

manifest asking_for(std::initializer_list<permission> asked) {
  manifest made{"ext", {}, "/ext", "/ext/main.js", {}};
  for (auto const each : asked)
    made.permissions.insert(each);
  return made;
}

result<access_explanation> ask(std::string_view toml, access_question const& question,
                               std::optional<result<manifest>> const& extension = {}) {
  auto const rules = parse_policy(toml, "/base");
  auto const access = access_rules::compile(rules, "/state/run/bulkhead").value();
  return explain_access(rules.hosts.front(), *access->find("h"), extension, question);
}

access_explanation explained(permission asked, std::optional<std::string_view> path = {},
                             std::optional<result<manifest>> const& extension = {}) {
  return ask(ordinary, {asked, path}, extension).value();
}

bool has_line(access_explanation const& answer, std::string const& line) {
  auto const lines = lines_of(answer, "p.toml");
  return std::ranges::find(lines, line) != lines.end();
}

} // namespace

TEST_CASE("an allowed path is explained by the rule, the grant and the nearest deny", "[explain]") {
  auto const answer = explained(permission::file_system_read, "guide.md");
  CHECK(answer.allowed);
  CHECK(answer.decided_by == access_gate::path);
  CHECK(
      lines_of(answer, "p.toml") ==
      texts{"allowed: h fileSystem.read /base/docs/guide.md",
            "  policy       granted by hosts.h.permissions (p.toml:6)",
            "  path         allowed by hosts.h.filesystem.read: \"docs\" (p.toml:10)",
            "  nearest      hosts.h.filesystem.deny: \"secret\" (p.toml:11), which would deny it, "
            "but does not match",
            "  to deny it   add \"/base/docs/guide.md\" to hosts.h.filesystem.deny"});
}

TEST_CASE("a deny is named with its line, and the rule that it hides", "[explain]") {
  auto const answer = explained(permission::file_system_read, "/base/docs/.git/config");
  CHECK_FALSE(answer.allowed);
  CHECK(answer.decided_by == access_gate::path);
  CHECK(has_line(answer,
                 "  path         denied by hosts.h.filesystem.deny: \"**/.git\" (p.toml:11)"));
  CHECK(
      has_line(answer, "  otherwise    allowed by hosts.h.filesystem.read: \"docs\" (p.toml:10)"));
  CHECK(answer.changes ==
        texts{"take \"**/.git\" out of hosts.h.filesystem.deny, or make it match less"});
}

TEST_CASE("a path that a deny and no other rule is about needs two changes", "[explain]") {
  auto const answer = explained(permission::file_system_read, "/base/secret/key");
  CHECK(answer.changes ==
        texts{"take \"secret\" out of hosts.h.filesystem.deny, or make it match less",
              "add \"/base/secret/key\" to hosts.h.filesystem.read"});
}

TEST_CASE("a path that no rule is about is explained by the nearest, and by what to write",
          "[explain]") {
  auto const answer = explained(permission::file_system_read, "/base/data/a[1].txt");
  CHECK_FALSE(answer.allowed);
  CHECK_FALSE(answer.rule);
  REQUIRE(answer.nearest);
  CHECK(answer.nearest->text == "data/*.json");
  // As TOML, of which the text is a pattern that means this path.
  CHECK(answer.changes == texts{R"(add "/base/data/a\\[1\\].txt" to hosts.h.filesystem.read)"});
}

TEST_CASE("to delete is to write, by the path rules", "[explain]") {
  auto const answer = explained(permission::file_system_delete, "guide.md");
  CHECK_FALSE(answer.allowed);
  CHECK(answer.changes == texts{"add \"/base/docs/guide.md\" to hosts.h.filesystem.write"});
}

TEST_CASE("the host's own folders are rules without a line", "[explain]") {
  auto const answer = explained(permission::file_system_delete, "/state/storage/h/x");
  CHECK(answer.allowed);
  CHECK(has_line(answer, "  path         allowed by the extension's own storage: "
                         "\"/state/storage/h\""));
}

TEST_CASE("the workspace is what lies in its folders and is not denied", "[explain]") {
  auto const inside = explained(permission::workspace_read, "/base/more/a/b");
  CHECK(inside.allowed);
  REQUIRE(inside.rule);
  CHECK(inside.rule->origin == "hosts.h.filesystem.workspace");
  CHECK(inside.rule->text == "/base/more");
  CHECK_FALSE(explained(permission::workspace_read, "/base/docs/.git").allowed);

  // What may be read as a file is not for that in the workspace.
  auto const outside = explained(permission::workspace_read, "/base/data/x.json");
  CHECK_FALSE(outside.allowed);
  CHECK(outside.changes ==
        texts{"add a folder that holds the path to hosts.h.filesystem.workspace"});
}

TEST_CASE("the first gate that refuses decides, and every one says what to change", "[explain]") {
  auto const answer = explained(permission::file_system_write, "/elsewhere",
                                result<manifest>{asking_for({permission::file_system_read})});
  CHECK_FALSE(answer.allowed);
  CHECK(answer.decided_by == access_gate::policy);
  CHECK(answer.changes.size() == 3);
  CHECK(has_line(answer, "  policy       not granted by hosts.h.permissions (p.toml:6)"));
  CHECK(has_line(answer, "  manifest     the extension does not ask for it"));
  CHECK(has_line(answer, "  path         no rule allows it"));
}

TEST_CASE("what the extension does not ask for is denied however much is granted", "[explain]") {
  auto const answer =
      explained(permission::file_system_read, "guide.md", result<manifest>{asking_for({})});
  CHECK_FALSE(answer.allowed);
  CHECK(answer.decided_by == access_gate::manifest);
  CHECK(answer.path_allowed);
  CHECK(answer.changes ==
        texts{"add \"fileSystem.read\" to \"permissions\" in \"bulkhead\" of /ext/package.json"});

  auto const asked = explained(permission::file_system_read, {},
                               result<manifest>{asking_for({permission::file_system_read})});
  CHECK(asked.allowed);
  CHECK(asked.is_asked_for == true);
}

TEST_CASE("an extension that can't be read is a note, and the policy decides", "[explain]") {
  auto const answer = explained(permission::file_system_read, {},
                                result<manifest>{error{errc::extension_unusable, "it is gone"}});
  CHECK(answer.allowed);
  CHECK_FALSE(answer.is_asked_for);
  CHECK(answer.notes == texts{"what the extension asks for is not known: it is gone"});
}

TEST_CASE("a host that strict_permissions keeps from starting may do nothing", "[explain]") {
  auto const answer =
      ask(std::string{ordinary} + "strict_permissions = true\n", {permission::file_system_read, {}},
          result<manifest>{asking_for({permission::file_system_read, permission::ai_client})})
          .value();
  CHECK_FALSE(answer.allowed);
  CHECK(answer.decided_by == access_gate::manifest);
  REQUIRE(answer.notes.size() == 1);
  CHECK(answer.notes.front().find("ai.client") != std::string::npos);
}

TEST_CASE("a change to a list that the host inherits says that it replaces it", "[explain]") {
  auto const answer = ask(R"([defaults]
permissions = ["ai.client"]
[defaults.sandbox]
require = "none"
[hosts.h]
runtime = "command"
command = ["x"]
)",
                          {permission::env_read, {}})
                          .value();
  CHECK(answer.grant.origin == "defaults.permissions");
  CHECK(answer.grant.line == 2);
  CHECK(answer.changes == texts{"add \"env.read\" to hosts.h.permissions, and what is to stay of "
                                "defaults.permissions, which it replaces"});
}

TEST_CASE("a question that no request could ask is refused", "[explain]") {
  for (auto const path : {"", "/a\nb", "/a\xff", "/..", "file:///a%2fb"}) {
    CAPTURE(path);
    auto const refused = ask(ordinary, {permission::file_system_read, path});
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == errc::invalid_payload);
  }
  CHECK(ask(ordinary, {permission::ai_client, "/a"}).has_error());
}

TEST_CASE("an explanation as JSON has every member, null where there is nothing", "[explain]") {
  auto const denied = json_of(explained(permission::file_system_read, "/base/docs/.git"));
  CHECK(denied.at("allowed") == false);
  CHECK(denied.at("decided_by") == "path");
  CHECK(denied.at("rule").at("rule") == "**/.git");
  CHECK(denied.at("rule").at("line") == 11);
  CHECK(denied.at("behind_deny").at("rule") == "docs");
  CHECK(denied.at("asked_for").is_null());

  auto const granted = json_of(explained(permission::workspace_read));
  CHECK(granted.at("allowed") == true);
  CHECK(granted.at("grant").at("line") == 6);
  for (auto const* const member : {"path", "path_allowed", "rule", "nearest", "behind_deny"})
    CHECK(granted.at(member).is_null());
}
