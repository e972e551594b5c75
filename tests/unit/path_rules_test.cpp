#include <bulkhead/config/glob.hpp>
#include <bulkhead/config/path_rules.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

std::vector<path_pattern> patterns(std::vector<std::string> const& texts,
                                   std::string const& origin) {
  std::vector<path_pattern> made;
  for (auto const& text : texts)
    made.push_back({text, text, static_cast<int>(made.size()) + 1, origin});
  return made;
}

path_rules rules(std::vector<std::string> const& read, std::vector<std::string> const& write = {},
                 std::vector<std::string> const& deny = {}) {
  auto compiled = path_rules::compile(
      {patterns(read, "read"), patterns(write, "write"), patterns(deny, "deny")});
  REQUIRE(compiled.has_value());
  return std::move(*compiled);
}

bool may_read(path_rules const& by, std::string_view path) {
  return by.decide(path_action::read, path).allowed;
}

error refused(path_pattern pattern, bool as_deny = false) {
  path_rule_set set;
  (as_deny ? set.deny : set.read).push_back(std::move(pattern));
  auto const compiled = path_rules::compile(std::move(set));
  REQUIRE(compiled.has_error());
  return compiled.error();
}

/// A rule as two globs, both matched by RE2: what the pattern is, and what is below that.
struct naive_rule {
  glob itself;
  std::optional<glob> below;

  bool holds(std::string_view path) const {
    return itself.matches(path) || (below && below->matches(path));
  }
};

std::vector<naive_rule> naive_rules(std::vector<std::string> const& texts, bool closes_below) {
  std::vector<naive_rule> made;
  for (auto const& text : texts) {
    auto const absolute = text.starts_with("**") ? "/" + text : text;
    bool const below = closes_below || text.find_first_of("*?[") == std::string::npos;
    made.push_back({glob::parse(absolute).value(), std::nullopt});
    if (below)
      made.back().below = glob::parse(absolute + "/**").value();
  }
  return made;
}

} // namespace

TEST_CASE("what no rule allows is denied") {
  auto const none = rules({});
  auto const decision = none.decide(path_action::read, "/a");
  CHECK_FALSE(decision.allowed);
  CHECK(decision.rule == nullptr);
  CHECK_FALSE(may_read(rules({"/a"}), "/b"));
  CHECK_FALSE(may_read(rules({"/"}), "relative"));
  CHECK_FALSE(may_read(rules({"/"}), ""));
}

// Threat 48.
TEST_CASE("a folder's rule holds for it and what is below, not for a name that begins alike") {
  auto const by = rules({"/data", "/data-b", "/data/sub"});
  for (auto const* path : {"/data", "/data/a", "/data/a/b", "/data/sub/c", "/data-b/d"})
    CHECK(may_read(by, path));
  for (auto const* path : {"/data2", "/data2/a", "/dat", "/", "/data-", "/x/data"})
    CHECK_FALSE(may_read(by, path));
  CHECK(may_read(rules({"/"}), "/anything"));
  CHECK(may_read(rules({"/"}), "/"));
}

TEST_CASE("to be written is not to be read, nor the other way round") {
  auto const by = rules({"/r"}, {"/w"});
  CHECK(by.decide(path_action::read, "/r/a").allowed);
  CHECK_FALSE(by.decide(path_action::write, "/r/a").allowed);
  CHECK(by.decide(path_action::write, "/w/a").allowed);
  CHECK_FALSE(by.decide(path_action::read, "/w/a").allowed);
}

TEST_CASE("a deny beats every allow, however long that is") {
  auto const by = rules({"/srv", "/srv/x/private/but-this"}, {"/srv"}, {"/srv/x/private"});
  CHECK(may_read(by, "/srv/x"));
  for (auto const* path : {"/srv/x/private", "/srv/x/private/but-this", "/srv/x/private/a/b"}) {
    auto const decision = by.decide(path_action::read, path);
    CHECK_FALSE(decision.allowed);
    REQUIRE(decision.rule);
    CHECK(decision.rule->origin == "deny");
    CHECK_FALSE(by.decide(path_action::write, path).allowed);
  }
  CHECK(may_read(by, "/srv/x/private2"));
}

TEST_CASE("a deny that matches a folder closes all that it holds") {
  for (auto const* deny :
       {"**/.git", "**/.git/**", "/srv/**/.git", "/srv/**/.gi?", "**/{.git,.hg}/**"}) {
    INFO(deny);
    auto const by = rules({"/srv"}, {}, {deny});
    for (auto const* path : {"/srv/.git", "/srv/.git/config", "/srv/a/b/.git/c/d"})
      CHECK_FALSE(may_read(by, path));
    for (auto const* path : {"/srv/a", "/srv/a.git", "/srv/.gitx/a", "/srv/.gi"})
      CHECK(may_read(by, path));
  }
  auto const endings = rules({"/srv"}, {}, {"**/*.pem"});
  for (auto const* path : {"/srv/a.pem", "/srv/.pem", "/srv/old.pem/a", "/srv/x/b.pem"})
    CHECK_FALSE(may_read(endings, path));
  for (auto const* path : {"/srv/pem", "/srv/a.pem2", "/srv/a.pe/m"})
    CHECK(may_read(endings, path));
  for (auto const* everything : {"/", "**", "/**", "**/*"})
    CHECK_FALSE(may_read(rules({"/srv"}, {}, {everything}), "/srv/a"));
}

TEST_CASE("a glob allows exactly what it matches") {
  auto const by = rules({"/srv/*/docs", "/srv/*.md", "/opt/**/*.txt"});
  CHECK(may_read(by, "/srv/x/docs"));
  CHECK_FALSE(may_read(by, "/srv/x/docs/a"));
  CHECK(may_read(by, "/srv/a.md"));
  CHECK_FALSE(may_read(by, "/srv/a.md/b"));
  CHECK(may_read(by, "/opt/a.txt"));
  CHECK(may_read(by, "/opt/a/b/c.txt"));
  CHECK_FALSE(may_read(by, "/opt"));
}

TEST_CASE("braces of paths are as many paths") {
  auto const by = rules({"/srv/{a,b}"});
  CHECK(may_read(by, "/srv/a/x"));
  CHECK(by.decide(path_action::read, "/srv/b/x").root == "/srv/b");
  CHECK_FALSE(may_read(by, "/srv"));
}

TEST_CASE("an allow names the folder that the operation stays beneath, the deepest there is") {
  auto const by = rules({"/srv", "/srv/x/**", "/srv/x/y/*.md", "/srv/x/y/z.md", "/**/*.cfg"});
  auto const root = [&](std::string_view path) {
    auto const decision = by.decide(path_action::read, path);
    REQUIRE(decision.allowed);
    return std::string{decision.rule->text} + " " + std::string{decision.root};
  };
  CHECK(root("/srv/a") == "/srv /srv");
  CHECK(root("/srv/x/a") == "/srv/x/** /srv/x");
  CHECK(root("/srv/x") == "/srv/x/** /srv/x");
  CHECK(root("/srv/x/y/a.md") == "/srv/x/y/*.md /srv/x/y");
  CHECK(root("/srv/x/y/z.md") == "/srv/x/y/z.md /srv/x/y/z.md");
  CHECK(root("/etc/a.cfg") == "/**/*.cfg /");
  CHECK(root("/srv/x/a.cfg") == "/srv/x/** /srv/x");

  auto const tied = rules({"/srv/*.md", "/srv/a/b/*.md", "/srv"});
  CHECK(tied.decide(path_action::read, "/srv/a.md").rule->text == "/srv");
}

TEST_CASE("a path of this machine is no glob, whatever characters it holds") {
  path_rule_set set;
  set.read.push_back({"/home/[me]/ext*", "", 0, "the extension's own folder", true});
  auto const by = path_rules::compile(std::move(set));
  REQUIRE(by.has_value());
  CHECK(may_read(*by, "/home/[me]/ext*/main.js"));
  CHECK_FALSE(may_read(*by, "/home/m/ext*/main.js"));
  CHECK_FALSE(may_read(*by, "/home/[me]/extra"));
  CHECK(may_read(rules({"/home/\\[me\\]"}), "/home/[me]/a"));
}

TEST_CASE("a rule that means nothing is refused with its place") {
  auto const wrong = refused({"/srv/[a", "[a", 12, "hosts.formatter.filesystem.read"});
  CHECK(wrong.code() == errc::policy_invalid_pattern);
  CHECK(wrong.detail().starts_with("hosts.formatter.filesystem.read, line 12: the pattern"));
  CHECK_FALSE(wrong.remedy().empty());
  for (auto const* text : {"", "a", "**/a", "../a", "/a/../b", "/a/", "/a//b", "/a\n", "*"}) {
    INFO(text);
    CHECK(refused({text, text, 1, "read"}).code() == errc::policy_invalid_pattern);
  }
  for (auto const* text : {"", "a", "a/**", "*.pem", "{**/a,b}"}) {
    INFO(text);
    CHECK(refused({text, text, 1, "deny"}, true).code() == errc::policy_invalid_pattern);
  }
  CHECK(refused({"/a/", "/a/", 0, "own", true}).code() == errc::policy_invalid_pattern);
  CHECK(refused({"a", "a", 0, "own", true}).code() == errc::policy_invalid_pattern);
}

TEST_CASE("an explanation names the nearest rule that would change the decision") {
  auto const by =
      rules({"/srv/x", "/srv/y/z", "/opt/*/a"}, {}, {"/srv/x/private", "/etc", "**/*.pem"});
  auto const explain = [&](std::string_view path) { return by.explain(path_action::read, path); };

  auto const allowed = explain("/srv/x/a");
  CHECK(allowed.decision.rule->text == "/srv/x");
  REQUIRE(allowed.nearest);
  CHECK(allowed.nearest->text == "/srv/x/private");
  CHECK(allowed.behind_deny == nullptr);

  auto const unmatched = explain("/srv/y/q");
  CHECK_FALSE(unmatched.decision.allowed);
  CHECK(unmatched.decision.rule == nullptr);
  REQUIRE(unmatched.nearest);
  CHECK(unmatched.nearest->text == "/srv/y/z");
  CHECK(explain("/opt/b/c").nearest->text == "/opt/*/a");

  auto const denied = explain("/srv/x/private/k");
  CHECK(denied.nearest == denied.decision.rule);
  CHECK(denied.nearest->text == "/srv/x/private");
  REQUIRE(denied.behind_deny);
  CHECK(denied.behind_deny->text == "/srv/x");
  CHECK(explain("/etc/passwd").behind_deny == nullptr);

  auto const alone = rules({});
  CHECK(alone.explain(path_action::write, "/a").nearest == nullptr);
}

TEST_CASE("what a decision points to stays where it is when the rules are moved") {
  auto by = rules({"/a"});
  auto const before = by.decide(path_action::read, "/a/b");
  auto const moved = std::move(by);
  auto const after = moved.decide(path_action::read, "/a/b");
  CHECK(before.rule == after.rule);
  CHECK(before.root.data() == after.root.data());
  CHECK(before.rule->text == "/a");
}

TEST_CASE("decisions agree with a naive evaluation of every rule") {
  std::mt19937 source{31'337};
  auto const any_of = [&](std::vector<std::string> const& of) { return of[source() % of.size()]; };
  std::vector<std::string> const names{"a", "b", "ab", ".a", "a-b", "a.b", "\u00E9"};
  std::vector<std::string> const wild{"*", "*b", "a*", "**", "?", "[!a]", "**", "*.b", "a", "b"};
  auto const path_of = [&](std::vector<std::string> const& from) {
    std::string made;
    for (auto left = source() % 4 + 1; left > 0; --left)
      made += "/" + any_of(from);
    return made;
  };
  int allowed = 0;
  int denied = 0;
  for (int round = 0; round < 150; ++round) {
    std::vector<std::string> read;
    std::vector<std::string> deny;
    auto const most = round % 3 == 0 ? 40u : 6u;
    for (auto left = source() % most; left > 0; --left)
      read.push_back(path_of(source() % 2 == 0 ? names : wild));
    for (auto left = source() % 6; left > 0; --left) {
      auto const pattern = path_of(source() % 2 == 0 ? names : wild);
      deny.push_back(source() % 2 == 0 ? "**" + pattern : pattern);
    }
    auto const by = rules(read, {}, deny);
    std::vector<naive_rule> const allows = naive_rules(read, false);
    std::vector<naive_rule> const denies = naive_rules(deny, true);
    for (int i = 0; i < 40; ++i) {
      auto const path = path_of(names);
      auto const matching = [&](naive_rule const& rule) { return rule.holds(path); };
      bool const is_denied = std::any_of(denies.begin(), denies.end(), matching);
      bool const is_allowed = std::any_of(allows.begin(), allows.end(), matching);
      auto const decision = by.decide(path_action::read, path);
      INFO("path " << path);
      REQUIRE(decision.allowed == (is_allowed && !is_denied));
      if (is_denied || is_allowed) {
        auto const& rules_of_its_kind = is_denied ? denies : allows;
        REQUIRE(decision.rule);
        REQUIRE(decision.rule->origin == (is_denied ? "deny" : "read"));
        REQUIRE(
            rules_of_its_kind.at(static_cast<std::size_t>(decision.rule->line - 1)).holds(path));
      }
      allowed += decision.allowed ? 1 : 0;
      denied += is_denied ? 1 : 0;
    }
  }
  CHECK(allowed > 100);
  CHECK(denied > 100);
}

TEST_CASE("ten thousand rules of every kind decide alike") {
  path_rule_set set;
  set.read.push_back({"/srv", "/srv", 1, "read"});
  for (int i = 0; i < 2500; ++i) {
    auto const n = std::to_string(i);
    for (auto const& text : {"/srv/folder" + n, "**/name" + n, "**/*.end" + n, "/srv/*/deep" + n})
      set.deny.push_back({text, text, i, "deny"});
  }
  auto const by = path_rules::compile(std::move(set));
  REQUIRE(by.has_value());
  for (auto const* path : {"/srv/folder2499/a", "/srv/folder0", "/srv/a/name1234/b",
                           "/srv/a/b.end77", "/srv/q/deep2024/z"})
    CHECK_FALSE(may_read(*by, path));
  for (auto const* path : {"/srv/folder2500", "/srv/a/name12345", "/srv/a/b.end", "/srv/q/r/deep1"})
    CHECK(may_read(*by, path));
}
