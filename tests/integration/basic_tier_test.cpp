// Whole hosts in the basic tier, as the command serves them where there is no bubblewrap.

#include "served_process.hpp"
#include "shared/forked.hpp"
#include "shared/open_directory.hpp"
#include "shared/text.hpp"
#include "without_bubblewrap.hpp"

#include <bulkhead/harness/catch2.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace bulkhead::testing;
using boost::json::object;
namespace fs = std::filesystem;

namespace {

/// Those that this process can be, one after the other.
std::vector<user> users() {
  if (!can_be_without_bubblewrap()) {
    WARN("bubblewrap can't be hidden here, or there is no Landlock for the basic tier");
    return {};
  }
  return is_root() ? std::vector{user::root, user::ordinary} : std::vector{user::ordinary};
}

/// What every user needs of this checkout, where every user can read it.
class served_ground {
public:
  served_ground() {
    fs::copy_file(BULKHEAD_TEST_COMMAND, command());
    fs::copy(BULKHEAD_TEST_SOURCE_DIR "/tests/integration/extensions/contained", extension());
    place_.write("secret", "of the backend");
  }

  /// Serves a policy until its extension is activated, then ends it, and gives the events.
  ran_command run(user who, std::string_view require) const {
    return without_bubblewrap(who, [&] {
      temporary_directory const own;
      served_process served{{command(), "run", "--json", policy_in(own, require)}};
      served.wait_for_output("\"activated\"");
      served.signal(SIGTERM);
      return served.wait();
    });
  }

  /// What the extension answers to one command.
  ran_command call(user who, std::string_view require, std::vector<std::string> const& asked,
                   std::string_view limits = {}) const {
    return without_bubblewrap(who, [&] {
      temporary_directory const own;
      std::vector<std::string> words{command(), "call", policy_in(own, require, limits),
                                     "contained"};
      words.insert(words.end(), asked.begin(), asked.end());
      return run_command(words);
    });
  }

  /// A text that everybody on this machine may read, as an argument of a command.
  std::string secret() const { return '"' + (place_.path() / "secret").string() + '"'; }

private:
  std::string command() const { return (place_.path() / "bulkhead").string(); }
  std::string extension() const { return (place_.path() / "extension").string(); }

  std::string policy_in(temporary_directory const& own, std::string_view require,
                        std::string_view limits = {}) const {
    return own.write("policy.toml", "[hosts.contained]\nextension = \"" + extension() +
                                        "\"\nsandbox.require = \"" + std::string{require} +
                                        "\"\nrestart.max_restarts = 0\n" + std::string{limits});
  }

  open_directory place_;
};

std::string_view name_of(user who) {
  return who == user::root ? "root" : "an ordinary user";
}

std::vector<object> transitions(ran_command const& served) {
  auto events = json_lines(served.output);
  std::erase_if(events, [](object const& each) { return each.at("event") != "state_changed"; });
  return events;
}

/// Which layers of a report hold, or do not.
std::vector<std::string> layers(boost::json::value const& report, bool holding) {
  std::vector<std::string> names;
  for (auto const& each : report.at("layers").as_array())
    if (each.at("holds") == holding)
      names.emplace_back(each.at("name").as_string());
  return names;
}

bool has(std::vector<std::string> const& names, char const* name) {
  return std::ranges::find(names, name) != names.end();
}

} // namespace

TEST_CASE("without bubblewrap a host is served in the basic tier, and its event says so",
          "[command][basic]") {
  served_ground const ground;
  for (auto const who : users()) {
    INFO(name_of(who));
    auto const served = ground.run(who, "basic");
    CAPTURE(served.output, served.errors);
    CHECK(served.exit_code == 0);
    auto const events = transitions(served);
    std::string path;
    for (auto const& event : events)
      path += std::string{event.at("to").as_string()} + ' ';
    REQUIRE(path == "Starting Running Stopping Stopped ");

    auto const& report = events.at(1).at("sandbox");
    CHECK(report.at("tier") == "basic");
    auto const holding = layers(report, true);
    for (auto const* const name : {"landlock", "seccomp", "network", "identity", "files", "memory"})
      CHECK(has(holding, name));
    auto const missing = layers(report, false);
    for (auto const* const name : {"namespaces", "root"})
      CHECK(has(missing, name));
    CHECK(has(missing, "processes") == (who == user::ordinary));
  }
}

TEST_CASE("in the basic tier an extension answers, and reaches nothing by itself",
          "[command][basic]") {
  served_ground const ground;
  for (auto const who : users()) {
    INFO(name_of(who));
    auto const answer = [&](std::string_view require, std::vector<std::string> const& asked) {
      auto const called = ground.call(who, require, asked);
      INFO(called.errors);
      REQUIRE(called.exit_code == 0);
      return boost::json::parse(called.output).as_object();
    };
    // It is the tier that refuses, and no right that the file's owner gave or kept.
    CHECK(answer("none", {"read", ground.secret()}).at("value") == 14);
    CHECK(answer("basic", {"read", ground.secret()}).at("code") == "EACCES");
    CHECK(answer("basic", {"write", "\"/tmp/bulkhead-basic-tier\""}).contains("code"));
    CHECK(answer("basic", {"connect", "\"127.0.0.1\"", "1"}).at("code") == "EACCES");
    CHECK(answer("basic", {"spawn"}).contains("code"));
    auto const uid = answer("basic", {"user"}).at("value").at("uid").to_number<uid_t>();
    CHECK(uid != 0);
    // Only root can give a host a user of its own.
    CHECK((uid == (is_root() ? ordinary_user : ::geteuid())) == (who == user::ordinary));
  }
}

TEST_CASE("in the basic tier a limit ends the host, and is named", "[command][basic]") {
  served_ground const ground;
  struct excess {
    std::vector<std::string> asked;
    std::string_view limit;
    std::string_view told;
  };
  for (auto const& [asked, limit, told] :
       {excess{{"spin"}, "limits.cpu_time = \"1s\"\n", "limits.cpu_time"},
        excess{{"balloon", "400"}, "limits.memory = \"128MiB\"\n", "out_of_memory"}})
    for (auto const who : users()) {
      auto const called = ground.call(who, "basic", asked, limit);
      CAPTURE(name_of(who), asked, called.output, called.errors);
      CHECK(called.exit_code == 1);
      CHECK(contains(called.errors, told));
    }
}

TEST_CASE("without bubblewrap the strong tier is refused with 4, and what to install",
          "[command][basic]") {
  served_ground const ground;
  for (auto const who : users()) {
    // Which an ordinary user has no control group for.
    auto const refused = ground.call(who, "strong", {"user"}, "limits.cpu_percent = 0\n");
    CAPTURE(name_of(who), refused.output, refused.errors);
    CHECK(refused.exit_code == 4);
    CHECK(refused.output.empty());
    CHECK(contains(refused.errors, "install bubblewrap"));
  }
}
