#include <bulkhead/config/access_rules.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/config/served_requests.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using outcome = access_decision::outcome;

namespace {

/// Rules of one host "x" that was granted everything.
struct one_host {
  explicit one_host(std::string_view filesystem = "", std::string_view requests = "")
      : one_host{parse_policy("[hosts.x]\nextension = \"ext\"\nsandbox.require = \"none\"\n" +
                                  std::string{filesystem} + "\n[requests]\n" +
                                  std::string{requests},
                              "/base")} {}
  explicit one_host(policy const& read)
      : rules{access_rules::compile(read, "/run/x").value()}
      , host{rules->find("x")} {}

  access_decision decide(std::string_view type, std::string_view payload = "{}",
                         permission_set held = everything()) const {
    access_decision decision;
    rules->decide(*host, held, type, payload, decision);
    return decision;
  }

  static permission_set everything() {
    permission_set all;
    for (auto const each : all_permissions())
      all.insert(each);
    return all;
  }

  std::shared_ptr<access_rules const> rules;
  host_access_ptr host;
};

permission_set holding(permission p) {
  permission_set set;
  set.insert(p);
  return set;
}

} // namespace

TEST_CASE("a request of the embedder's needs the permission that the policy names") {
  one_host const x{"", "openDocument = \"ui.dialogs\""};
  CHECK(x.decide("openDocument", "{}", holding(permission::ui_dialogs)).result == outcome::allowed);
  auto const denied = x.decide("openDocument", "{}", holding(permission::ui_notifications));
  CHECK(denied.result == outcome::permission_denied);
  CHECK(denied.needed == permission::ui_dialogs);
}

TEST_CASE("a type that nobody names is denied, whatever is held") {
  one_host const x;
  for (auto const* type : {"unnamed", "", "opendocument", "openDocument ", "__proto__"}) {
    auto const decision = x.decide(type);
    CHECK(decision.result == outcome::permission_denied);
    CHECK(!decision.needed);
  }
}

TEST_CASE("a type of the protocol's own needs what the protocol says") {
  one_host const x;
  for (auto const& served : served_requests()) {
    INFO(served.type);
    auto const without = x.decide(served.type, "{}", {});
    CHECK((without.result == outcome::permission_denied) == served.needs.has_value());
    CHECK(without.needed == served.needs);
    if (served.needs)
      CHECK(x.decide(served.type, "{}", holding(*served.needs)).result !=
            outcome::permission_denied);
  }
}

TEST_CASE("a policy made in memory can't loosen what the protocol says of a type") {
  policy loosened = parse_policy("[hosts.x]\nextension = \"e\"\nsandbox.require = \"none\"", "/b");
  loosened.requests.emplace("fs.writeFile", permission::ui_dialogs);
  one_host const x{loosened};
  CHECK(x.decide("fs.writeFile", "{}", holding(permission::ui_dialogs)).result ==
        outcome::permission_denied);
}

TEST_CASE("every path that a request names is decided, in its canonical form") {
  one_host const x{"[hosts.x.filesystem]\nread = [\"in\"]\nwrite = [\"out\"]\n"
                   "deny = [\"**/*.pem\"]"};
  auto const read = x.decide("fs.readFile", R"({"path":"/base/in/./a/../b"})");
  CHECK(read.result == outcome::allowed);
  CHECK(read.paths[0] == "/base/in/b");
  REQUIRE(read.rule);
  CHECK(read.rule->shown == "in");
  CHECK(read.rule->line == 5);
  CHECK(read.rule->origin == "hosts.x.filesystem.read");

  CHECK(x.decide("fs.readFile", R"({"path":"/base/out/a"})").result == outcome::path_denied);
  CHECK(x.decide("fs.readFile", R"({"path":"/base/in2/a"})").result == outcome::path_denied);
  CHECK(x.decide("fs.readFile", R"({"path":"/base/in/a.pem"})").result == outcome::path_denied);
  CHECK(x.decide("fs.readFile", R"({"path":"/base/in/../out"})").result == outcome::path_denied);
  CHECK(x.decide("fs.readFile", R"({"p\u0061th":"/base/in/a"})").result == outcome::allowed);

  CHECK(x.decide("fs.copy", R"({"from":"/base/in/a","to":"/base/out/a"})").result ==
        outcome::allowed);
  CHECK(x.decide("fs.copy", R"({"from":"/base/out/a","to":"/base/out/b"})").result ==
        outcome::path_denied);
  CHECK(x.decide("fs.rename", R"({"from":"/base/in/a","to":"/base/out/a"})").result ==
        outcome::path_denied);
}

TEST_CASE("a request without a usable path is refused before anybody looks for a file") {
  one_host const x;
  for (auto const* payload : {"{}", "null", "[]", R"({"path":1})", R"({"path":null})",
                              R"({"path":""})", R"({"path":"a\u0000b"})", R"({"path":"/../.."})"})
    CHECK(x.decide("fs.stat", payload).result == outcome::path_invalid);
}

TEST_CASE("a host may use folders of its own, and nobody else's") {
  one_host const x;
  auto const can = [&](std::string_view type, std::string const& path) {
    return x.decide(type, R"({"path":")" + path + R"("})").result == outcome::allowed;
  };
  for (auto const* own : {"/base/state/storage/x", "/base/state/logs/x", "/run/x/temp/x"}) {
    CHECK(can("fs.readFile", std::string{own} + "/a"));
    CHECK(can("fs.writeFile", std::string{own} + "/a"));
  }
  CHECK(can("fs.readFile", "/base/ext/main.js"));
  CHECK_FALSE(can("fs.writeFile", "/base/ext/main.js"));
  CHECK_FALSE(can("fs.readFile", "/base/state/storage/y/a"));
  CHECK_FALSE(can("fs.readFile", "/base/state/storage/x2/a"));
  CHECK_FALSE(can("fs.readFile", "/base/state/audit.jsonl"));
}

TEST_CASE("no rule opens the state directory, the policy, the vault or the audit log") {
  auto open = parse_policy("[hosts.x]\nextension = \"ext\"\nsandbox.require = \"none\"\n"
                           "filesystem = { read = [\".\"], write = [\".\"] }\n"
                           "[secrets]\nvault = \"v/vault\"\npassphrase_file = \"pass\"\n"
                           "[audit]\nfile = \"a/log\"",
                           "/base");
  open.file = "/base/policy.toml";
  one_host const x{open};
  for (auto const* path :
       {"state", "state/run/y/bootstrap.js", "state/storage/y/a", "state/storage/x/../y",
        "policy.toml", "pass", "v/vault", "v/vault.lock", "a/log", "a/log.head", "a/log.12"})
    for (auto const* type : {"fs.readFile", "fs.writeFile"}) {
      INFO(type << ' ' << path);
      auto const decision = x.decide(type, R"({"path":"/base/)" + std::string{path} + R"("})");
      CHECK(decision.result == outcome::path_denied);
      CHECK(decision.rule->line == 0);
    }
  for (auto const* path : {"state2", "policy.toml2", "v/vault2", "a/logs", "state/storage/x/a"})
    CHECK(x.decide("fs.writeFile", R"({"path":"/base/)" + std::string{path} + R"("})").result ==
          outcome::allowed);
}

TEST_CASE("a relative path is relative to the first folder of the workspace, else to the storage") {
  one_host const with{"[hosts.x.filesystem]\nworkspace = [\"w\", \"v\"]\nread = [\"w\"]"};
  CHECK(with.decide("fs.stat", R"({"path":"a"})").paths[0] == "/base/w/a");
  one_host const without;
  CHECK(without.decide("fs.stat", R"({"path":"a"})").paths[0] == "/base/state/storage/x/a");
}

TEST_CASE("the root of a path is the outermost folder that a rule names") {
  one_host const x{
      "[hosts.x.filesystem]\nread = [\"a/b/c\", \"g/*/h\"]\nwrite = [\"a\", \"f.txt\"]"};
  CHECK(x.host->root_of("/base/a/b/c/d") == "/base/a");
  CHECK(x.host->root_of("/base/f.txt") == "/base/f.txt");
  CHECK(x.host->root_of("/base/g/1/h") == "/base/g");
  CHECK(x.host->root_of("/base/ab").empty());
}

TEST_CASE("a host's name that would lead out of the state directory is refused") {
  policy forged = parse_policy("[hosts.x]\nextension = \"e\"\nsandbox.require = \"none\"", "/b");
  forged.hosts.front().id = "../../etc";
  auto const compiled = access_rules::compile(forged, "/run/x");
  REQUIRE_FALSE(compiled.has_value());
  CHECK(compiled.error().code() == errc::policy_out_of_range);
}
