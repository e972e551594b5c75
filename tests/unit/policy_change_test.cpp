#include <bulkhead/config/load.hpp>
#include <bulkhead/config/policy_change.hpp>
#include <bulkhead/harness/catch2.hpp>

using namespace bulkhead;
using effect = policy_change::effect;

namespace {

policy with(std::string_view keys, std::string_view rest = "") {
  return parse_policy("[hosts.x]\nextension = \"e\"\nsandbox.require = \"none\"\n" +
                          std::string{keys} + '\n' + std::string{rest},
                      "/base");
}

std::vector<std::string> lines(std::vector<policy_change> const& changes) {
  std::vector<std::string> all;
  for (auto const& change : changes)
    all.push_back(to_string(change));
  return all;
}

} // namespace

TEST_CASE("a policy does not differ from itself") {
  auto const same = with("permissions = [\"fileSystem.read\"]\nenvironment = { A = \"b\" }");
  CHECK(policy_changes(same, same).empty());
}

TEST_CASE("what changed is said key by key, with when it holds") {
  auto const before = with("permissions = [\"fileSystem.read\"]\nrequest_timeout = \"1s\"");
  auto const after = with("permissions = []\nrequest_timeout = \"2s\"\n"
                          "filesystem.deny = [\"**/*.pem\"]\nrate_limit.burst = 7");
  CHECK(lines(policy_changes(before, after)) ==
        std::vector<std::string>{
            R"(hosts.x.permissions: ["fileSystem.read"] -> [] (from the next request on))",
            R"(hosts.x.request_timeout: "1s" -> "2s" (when the program starts again))",
            R"(hosts.x.filesystem.deny: [] -> ["**/*.pem"] (from the next request on))",
            "hosts.x.rate_limit.burst: 100 -> 7 (from the next request on)",
        });
}

TEST_CASE("a host that comes or goes is one change") {
  auto const one = with("");
  auto const two = with("", "[hosts.y]\nextension = \"f\"\nsandbox.require = \"none\"");
  CHECK(lines(policy_changes(one, two)) ==
        std::vector<std::string>{"hosts.y: nothing -> a new host (when the program starts again)"});
  CHECK(lines(policy_changes(two, one)) ==
        std::vector<std::string>{"hosts.y: a host -> nothing (when the program starts again)"});
}

TEST_CASE("the value of an environment variable is in no change") {
  auto const changes = policy_changes(with("environment = { A = \"hidden-1\" }"),
                                      with("environment = { A = \"hidden-2\", B = \"hidden-3\" }"));
  REQUIRE(changes.size() == 1);
  CHECK(to_string(changes.front()).find("hidden") == std::string::npos);
  CHECK(changes.front().to == "{ \"A\" = …, \"B\" = … }");
  CHECK(policy_changes(with("environment = { A = \"hidden-1\" }"),
                       with("environment = { A = \"hidden-2\" }"))
            .size() == 1);
}
