#include "policy_texts.hpp"

#include <bulkhead/config/policy_change.hpp>

using namespace bulkhead;
using namespace policy_texts;

namespace {

/// Hosts a, b and c, and what follows from line 7 on.
std::string with_groups(std::string_view lines) {
  return "[defaults]\nsandbox.require = \"none\"\nextension = \"x\"\n[hosts]\na = {}\nb = {}\nc = "
         "{}\n" +
         std::string{lines};
}

} // namespace

TEST_CASE("groups are read in the order of the file, with the order of their hosts") {
  auto const what = parsed(with_groups("[groups.second]\nhosts = [\"c\"]\n"
                                       "[groups.first]\nhosts = [\"b\", \"a\"]\n"
                                       "restart = \"rest_for_one\"\n"));
  REQUIRE(what.groups.size() == 2);
  CHECK(what.groups[0].name == "second");
  CHECK(what.groups[0].restart == restart_strategy::one_for_one);
  CHECK(what.groups[1].hosts == std::vector<std::string>{"b", "a"});
  CHECK(what.groups[1].restart == restart_strategy::rest_for_one);
  CHECK(what.group_of("a") == &what.groups[1]);
  CHECK(what.group_of("nobody") == nullptr);
}

TEST_CASE("what is wrong with a group is said where it stands") {
  auto const report_of = [](std::string_view lines) { return report(with_groups(lines)); };
  CHECK(report_of("[groups.g]\n") ==
        "policy.toml:8:9: groups.g has no hosts - write  hosts = [\"NAME\"]");
  CHECK(report_of("[groups.g]\nhosts = []\n") ==
        "policy.toml:9:9: groups.g.hosts is empty - it takes the names of hosts");
  CHECK(report_of("[groups.g]\nhosts = [\"a\", \"a\"]\n") ==
        "policy.toml:9:15: groups.g.hosts names \"a\" twice - remove one");
  CHECK(report_of("[groups.g]\nhosts = [\"formater\"]\n") ==
        "policy.toml:9:10: groups.g.hosts names \"formater\", and there is no such host - write  "
        "[hosts.formater]  or remove it");
  CHECK(
      report_of("[groups.g]\nhosts = [\"a\"]\n[groups.h]\nhosts = [\"a\"]\n") ==
      "policy.toml:11:10: groups.h.hosts names \"a\", which is in groups.g already - a host is in "
      "one group");
  CHECK(report_of("[groups.g]\nhosts = [\"a\"]\nrestart = \"all\"\n")
            .starts_with("policy.toml:10:11: groups.g.restart is \"all\""));
  CHECK(report_of("[groups.g]\nhosts = [1]\n").starts_with("policy.toml:9:10: "));
  CHECK(report_of("[groups.g]\nhost = [\"a\"]\nhosts = [\"a\"]\n") ==
        "policy.toml:9:1: unknown key \"host\" in groups.g - did you mean \"hosts\"?");
  CHECK(report_of("[groups.\"../g\"]\nhosts = [\"a\"]\n")
            .starts_with("policy.toml:8:9: the group's name is \"../g\" - a name is "));
  CHECK(report("groups = 1\n" + std::string{smallest}) ==
        "policy.toml:1:10: groups is a whole number - it takes a table for each group, "
        "[groups.NAME]");
}

TEST_CASE("a slip in a host's name is told with the name that was meant") {
  CHECK(report("[hosts.formatter]\nextension = \"x\"\nsandbox.require = \"none\"\n"
               "[groups.g]\nhosts = [\"formater\"]\n")
            .ends_with("and there is no such host - did you mean \"formatter\"?"));
}

TEST_CASE("a change of a group takes a new start") {
  auto const before = parsed(with_groups("[groups.g]\nhosts = [\"a\", \"b\"]\n"));
  auto const after = parsed(with_groups("[groups.g]\nhosts = [\"b\"]\nrestart = \"all_for_one\"\n"
                                        "[groups.h]\nhosts = [\"c\"]\n"));
  std::vector<std::string> told;
  for (auto const& change : policy_changes(before, after))
    told.push_back(to_string(change));
  CHECK(told ==
        std::vector<std::string>{
            R"(groups.g.hosts: ["a", "b"] -> ["b"] (when the program starts again))",
            R"(groups.g.restart: "one_for_one" -> "all_for_one" (when the program starts again))",
            "groups.h: nothing -> a new group (when the program starts again)"});
  CHECK(policy_changes(after, before).back().key == "groups.h");
  CHECK(policy_changes(after, after).empty());
}
