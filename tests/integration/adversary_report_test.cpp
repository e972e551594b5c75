#include "shared/forked.hpp"
#include "shared/open_directory.hpp"
#include "test_hosts.hpp"

#include <bulkhead/harness/attack_claims.hpp>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <set>

using namespace bulkhead;
using namespace bulkhead::testing;
namespace disk = std::filesystem;

namespace {

/// The corpus where every user may read it, wherever the checkout lies: a copy, made by the first
/// call in a process, which has to come before a change of its user.
disk::path const& readable_corpus() {
  static open_directory const place;
  static disk::path const copy = [] {
    auto const made = place.path() / "corpus";
    disk::copy(BULKHEAD_ADVERSARY_DIR, made, disk::copy_options::recursive);
    return made;
  }();
  return copy;
}

adversary_report attack_by_copies(policy const& what) {
  return attack(what, "one", readable_corpus());
}

host_policy strong_node_host(std::string id = "one") {
  auto host = node_host(std::move(id), "/nowhere");
  host.sandbox.require = sandbox_tier::strong;
  host.limits.cpu_percent = is_root() ? host.limits.cpu_percent : 0; // it takes a control group
  return host;
}

host_policy strong_command_host() {
  auto host = command_host("one", {"/nowhere"});
  host.sandbox.require = sandbox_tier::strong;
  host.limits.cpu_percent = 0;
  return host;
}

/// The names of what got through, and what is wrong with the report itself.
std::string names_of(adversary_report const& report, std::size_t least) {
  std::string found;
  if (report.attempts.size() < least)
    found += "only " + std::to_string(report.attempts.size()) + " attempts\n";
  for (auto const& each : report.attempts) {
    if (each.claim == 0 || each.sentence.empty())
      found += each.attack + " is on no claim\n";
    if (!each.got_through && each.by.empty())
      found += each.attack + " was stopped by nothing\n";
    if (each.got_through)
      found += each.attack + '\n';
  }
  return found;
}

/// Those of `expected` that did not get through.
std::string lacking(adversary_report const& report,
                    std::initializer_list<std::string_view> expected) {
  std::string missing;
  auto const through = report.got_through();
  for (auto const name : expected)
    if (std::ranges::find(through, name, &adversary_attempt::attack) == through.end())
      missing.append(name).append("\n");
  return missing;
}

/// As root, where the tests are, and as an ordinary user.
void by_both(std::function<std::string()> const& work) {
  readable_corpus();
  if (is_root()) {
    INFO("by root");
    CHECK(text_of_child(work) == "");
  }
  INFO("by an ordinary user");
  CHECK(as_ordinary_user(work) == "");
}

} // namespace

TEST_CASE("nothing gets through a strong policy in the place of its extension", "[adversary]") {
  by_both([] { return names_of(attack_by_copies(policy_of({strong_node_host()})), 60); });
}

TEST_CASE("nothing gets through a strong policy in the place of its command", "[adversary]") {
  readable_corpus();
  if (is_root())
    CHECK(text_of_child([] {
            return names_of(attack_by_copies(policy_of({strong_command_host()})), 60);
          }) == "");
}

TEST_CASE("a command of an ordinary user's is tried in the tier that the machine gives it",
          "[adversary]") {
  readable_corpus();
  CHECK(as_ordinary_user([]() -> std::string {
          auto host = strong_command_host();
          host.sandbox.require = sandbox_tier::basic;
          auto const report = attack_by_copies(policy_of({host}));
          auto const reads = lacking(report, {"read-secret"}).empty();
          return report.attempts.size() < 60 || reads ? to_string(report) : "";
        }) == "");
}

TEST_CASE("what a host may do does not count, and what it may not does", "[adversary]") {
  by_both([] {
    auto host = strong_node_host();
    host.sandbox.file_write = true;
    host.environment = {{"HARMLESS", "1"}};
    for (auto const each : {permission::file_system_read, permission::file_system_write})
      host.permissions.insert(each);
    return names_of(attack_by_copies(policy_of({host})), 60);
  });
}

TEST_CASE("a folder of secrets that a policy grants is told by name and rule", "[adversary]") {
  auto host = strong_node_host();
  host.permissions.insert(permission::file_system_read);
  host.filesystem.rules.read = {path_pattern{"/etc", "/etc", 7, "hosts.one.filesystem.read", true}};
  auto const report = attack_by_copies(policy_of({host, strong_node_host("other")}));
  INFO(to_string(report));
  auto const through = report.got_through();
  REQUIRE(through.size() == 1);
  CHECK(through.front().attack == "folders-with-secrets: /etc/shadow");
  CHECK(through.front().claim == 48);
  CHECK(through.front().by == "/etc (hosts.one.filesystem.read, line 7)");
  CHECK(to_string(report).find("THROUGH  48  folders-with-secrets: /etc/shadow (/etc") !=
        std::string::npos);
  auto const home =
      std::ranges::find(report.attempts, "folders-with-secrets: /root", &adversary_attempt::attack);
  REQUIRE(home != report.attempts.end());
  CHECK(home->by.starts_with("path_denied"));
}

TEST_CASE("a policy without containment is told what gets through", "[adversary]") {
  readable_corpus();
  auto const of = [](host_policy host) {
    host.sandbox.require = sandbox_tier::none;
    return attack_by_copies(policy_of({std::move(host)}));
  };
  CHECK(as_ordinary_user([&] {
          return lacking(of(strong_node_host()),
                         {"files: read a secret", "channels: connect by TCP",
                          "processes: signal another", "processes: start a shell"});
        }) == "");
  CHECK(as_ordinary_user([&] {
          return lacking(of(strong_command_host()),
                         {"read-secret", "signal-process", "connect-tcp", "link-secret"});
        }) == "");
  if (is_root()) {
    auto const report = of(strong_node_host());
    REQUIRE(report.got_through().size() == 1);
    CHECK(report.got_through().front().attack == "run as root, with nothing around it");
  }
}

TEST_CASE("a host that can't be started, or is not there, is an error and no report",
          "[adversary]") {
  CHECK_THROWS_AS(attack(policy_of({strong_node_host()}), "another"), error);
  auto host = strong_node_host();
  host.sandbox.seccomp = "/nowhere";
  CHECK_THROWS_AS(attack_by_copies(policy_of({host})), error);
  host = strong_command_host();
  host.sandbox.seccomp = "/nowhere";
  CHECK_THROWS_AS(attack_by_copies(policy_of({host})), error);
}

TEST_CASE("each attack is on one claim", "[adversary]") {
  std::set<std::string_view> seen;
  for (auto const& about : all_claims())
    for (auto const name : about.attacks) {
      INFO(name);
      CHECK(seen.insert(name).second);
      CHECK(find_claim(name)->number == about.number);
    }
}
