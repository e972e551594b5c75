// `bulkhead doctor` on this machine, with policies that it can and can't meet.

#include "run_command.hpp"
#include "shared/open_directory.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bulkhead::testing::contains;
using bulkhead::testing::open_directory;
using bulkhead::testing::ran_command;
using bulkhead::testing::run_bulkhead;
using bulkhead::testing::run_command;
using bulkhead::testing::temporary_directory;

ran_command doctor(std::vector<std::string> const& words = {}) {
  return run_bulkhead({"doctor"}, words);
}

std::string text_of(boost::json::value const& value) {
  auto const& text = value.as_string();
  return {text.data(), text.size()};
}

std::string policy_requiring(std::string const& tier) {
  return "[hosts.one]\nextension = \"ext\"\nsandbox.require = \"" + tier + "\"\n";
}

/// The line of the table about a mechanism.
std::string row_of(std::string const& name, std::string const& output) {
  std::istringstream lines{output};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  yes  " + name + ' ') || line.starts_with("  no   " + name + ' '))
      return line;
  return {};
}

} // namespace

TEST_CASE("doctor prints what holds, and its JSON says the same", "[command][doctor]") {
  auto const told = doctor();
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(told.errors.empty());
  CHECK(contains(told.output, ::geteuid() == 0 ? "enforce as root:" : "enforce as you (uid "));
  CHECK(!contains(told.output, "\x1b"));

  auto const in_json = doctor({"--json"});
  CHECK(std::ranges::count(in_json.output, '\n') == 1);
  auto const json = boost::json::parse(in_json.output);
  CHECK(json.at("hosts").as_array().empty());
  CHECK(contains(told.output, "Best tier: " + text_of(json.at("best_tier"))));
  auto const& mechanisms = json.at("mechanisms").as_array();
  CHECK(mechanisms.size() >= 14);
  for (auto const& each : mechanisms) {
    auto const name = text_of(each.at("name"));
    CAPTURE(name);
    auto const row = row_of(name, told.output);
    CHECK(row.starts_with(each.at("holds").as_bool() ? "  yes  " : "  no   "));
    CHECK(row.ends_with("  " + text_of(each.at("detail"))));
    CHECK(each.at("holds").as_bool() == text_of(each.at("remedy")).empty());
    CHECK(contains(told.output, text_of(each.at("remedy"))));
  }
}

TEST_CASE("doctor says for each host whether its tier can be had", "[command][doctor]") {
  temporary_directory const folder;
  auto const policy = folder.write(
      "policy.toml", "[hosts.free]\nextension = \"ext\"\nsandbox.require = \"none\"\n"
                     "[hosts.held]\nextension = \"ext\"\nsandbox.require = \"basic\"\n");
  auto const told = doctor({policy.string()});
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 0);
  CHECK(contains(told.output, "free requires none: met\n"));
  CHECK(contains(told.output, "held requires basic: met"));

  auto const json = boost::json::parse(doctor({policy.string(), "--json"}).output);
  REQUIRE(json.at("hosts").as_array().size() == 2);
  auto const& held = json.at("hosts").at(1);
  CHECK(held.at("host") == "held");
  CHECK(held.at("require") == "basic");
  CHECK(held.at("met") == true);
  CHECK(held.at("missing").as_array().empty());
}

TEST_CASE("doctor ends with 4 where a host lacks what it needs", "[command][doctor]") {
  temporary_directory const folder;
  auto const policy = folder.write("policy.toml", policy_requiring("none"));
  auto const told =
      run_command({"env", "PATH=/none", BULKHEAD_TEST_COMMAND, "doctor", policy.string()});
  CAPTURE(told.output, told.errors);
  CHECK(told.exit_code == 4);
  CHECK(contains(told.output, "one requires none: not met, for lack of Node.js\n"));
  CHECK(contains(told.output, "Node.js (for Node.js hosts)\n"));
}

TEST_CASE("doctor answers for the user that asks", "[command][doctor]") {
  if (::geteuid() != 0) {
    WARN("only root can become another user");
    return;
  }
  // Where another user may execute and read it.
  open_directory const folder;
  auto const command = folder.path() / "bulkhead";
  fs::copy_file(BULKHEAD_TEST_COMMAND, command);
  auto const policy = folder.write("policy.toml", policy_requiring("strong"));
  fs::permissions(policy, fs::perms{0644});
  auto const told = run_command({"setpriv", "--reuid=60123", "--regid=60123", "--clear-groups",
                                 command.string(), "doctor", policy.string()});
  CAPTURE(told.output, told.errors);
  CHECK(contains(told.output, "enforce as you (uid 60123):"));
  // Nobody delegated a control group to this user, and the default policy has limits.
  CHECK(told.exit_code == 4);
  CHECK(contains(told.output, "one requires strong: not met, for lack of CPU limit\n"));
  CHECK(contains(told.output, "Delegate=yes"));
}

TEST_CASE("doctor refuses an invalid policy and a wrong call", "[command][doctor]") {
  temporary_directory const folder;
  auto const policy = folder.write("policy.toml", policy_requiring("weak"));
  auto const told = doctor({policy.string()});
  CHECK(told.exit_code == 3);
  CHECK(told.output.empty());
  CHECK(contains(told.errors, "weak"));
  CHECK(doctor({"one", "two"}).exit_code == 2);
  CHECK(doctor({"--jsn"}).exit_code == 2);
  auto const help = doctor({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(contains(help.output, "bulkhead doctor"));
}
