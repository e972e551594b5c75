#include "policy_texts.hpp"

#include <bulkhead/harness/temporary_directory.hpp>

#include <algorithm>
#include <random>

using namespace bulkhead;
using namespace policy_texts;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// The policy of the documentation.
constexpr std::string_view documented = R"(
[runtime]
name = "demo"                    # names the runtime directory and the metrics
state_dir = "../state/"
log_level = "debug"
drain_timeout = "15s"

[defaults]
permissions = []

[defaults.sandbox]
require = "none"

[hosts.formatter]
extension = "extensions/formatter"
runtime = "node"
transport = "sockets"
autostart = false
permissions = ["fileSystem.read", "workspace.read"]
strict_permissions = true
environment = { LANG = "C.UTF-8" }
request_timeout = "31s"
start_timeout = "11s"

[hosts.formatter.restart]
max_restarts = 4
window = "6min"
backoff = { initial = "2s", factor = 3, max = "31s", jitter = 0.2 }
reset_after = "6s"
never_on_exit_codes = [55]

[hosts.formatter.health]
ping_interval = "2s"
unresponsive_after = "4s"
kill_after = "32s"

[hosts.formatter.stop]
deactivate_timeout = "6s"
term_timeout = "7s"

[hosts.formatter.limits]
request_time = "1min"
in_flight = 16
frame = "1MiB"

[hosts.a-second]
runtime = "command"
command = ["./my-host", "--flag", "./as-it-is"]

[requests]
"window-show-message" = "ui.notifications"
)";

} // namespace

TEST_CASE("the documented policy gives every value that it writes") {
  auto const p = parsed(documented);
  CHECK(p.file.empty());
  CHECK(p.name == "demo");
  CHECK(p.state_dir == "/etc/state");
  CHECK(p.log_level == "debug");
  CHECK(p.drain_timeout == 15s);
  REQUIRE(p.hosts.size() == 2);
  CHECK(p.requests.at("window-show-message") == permission::ui_notifications);

  auto const& host = p.hosts[0];
  CHECK(host.id == "formatter");
  CHECK(host.extension == "/etc/demo/extensions/formatter");
  CHECK(host.runtime == host_runtime::node);
  CHECK(host.transport == host_transport::sockets);
  CHECK_FALSE(host.autostart);
  CHECK(to_string(host.permissions) == "fileSystem.read, workspace.read");
  CHECK(host.strict_permissions);
  CHECK(host.environment == std::map<std::string, std::string>{{"LANG", "C.UTF-8"}});
  CHECK(host.request_timeout == 31s);
  CHECK(host.start_timeout == 11s);
  CHECK(host.restart.max_restarts == 4);
  CHECK(host.restart.window == 6min);
  CHECK(host.restart.backoff_initial == 2s);
  CHECK(host.restart.backoff_factor == 3.0);
  CHECK(host.restart.backoff_max == 31s);
  CHECK(host.restart.backoff_jitter == 0.2);
  CHECK(host.restart.reset_after == 6s);
  CHECK(host.restart.never_on_exit_codes == std::vector{55});
  CHECK(host.stop.deactivate_timeout == 6s);
  CHECK(host.stop.term_timeout == 7s);
  CHECK(host.limits.in_flight == 16);
  CHECK(host.limits.frame == 1u << 20);
  CHECK(host.sandbox.require == sandbox_tier::none);

  auto const& second = p.hosts[1];
  CHECK(second.id == "a-second");
  CHECK(second.runtime == host_runtime::command);
  CHECK(second.command == std::vector<std::string>{"/etc/demo/my-host", "--flag", "./as-it-is"});
}

TEST_CASE("a value that nobody wrote is the default") {
  auto const p = parsed(smallest);
  CHECK(p.name == "bulkhead");
  CHECK(p.state_dir == "/etc/demo/state");
  CHECK(p.log_level == "info");
  CHECK(p.drain_timeout == defaults::drain_timeout);
  CHECK(p.requests.empty());

  auto const& host = p.hosts.at(0);
  CHECK(host.runtime == host_runtime::node);
  CHECK(host.transport == host_transport::socketpair);
  CHECK(host.autostart);
  CHECK(host.permissions.empty());
  CHECK_FALSE(host.strict_permissions);
  CHECK(host.environment.empty());
  CHECK(host.command.empty());
  CHECK(host.request_timeout == defaults::request_timeout);
  CHECK(host.start_timeout == defaults::start_timeout);
  CHECK(host.restart.max_restarts == defaults::max_restarts);
  CHECK(host.restart.window == defaults::restart_window);
  CHECK(host.restart.backoff_initial == defaults::backoff_initial);
  CHECK(host.restart.backoff_factor == defaults::backoff_factor);
  CHECK(host.restart.backoff_max == defaults::backoff_max);
  CHECK(host.restart.backoff_jitter == defaults::backoff_jitter);
  CHECK(host.restart.reset_after == defaults::restart_reset_after);
  CHECK(host.restart.never_on_exit_codes.empty());
  CHECK(host.stop.deactivate_timeout == defaults::deactivate_timeout);
  CHECK(host.stop.term_timeout == defaults::term_timeout);
  CHECK(host.limits.in_flight == defaults::in_flight);
  CHECK(host.limits.frame == defaults::frame);
}

TEST_CASE("hosts start from the defaults: tables merge key by key, lists are replaced") {
  auto const p = parsed(R"(
    [hosts.z]
    extension = "z"
    permissions = ["env.read"]
    environment = { LANG = "C", HOME = "/tmp" }
    restart.backoff.max = "5s"
    [hosts.a]
    extension = "/opt/a"
    [defaults]
    permissions = ["ui.dialogs"]
    environment = { LANG = "de", TZ = "UTC" }
    restart = { max_restarts = 9, backoff = { initial = "2s", max = "9s" } }
    sandbox.require = "none"
  )");
  REQUIRE(p.hosts.size() == 2);
  auto const& z = p.hosts[0]; // as in the file, not by name
  CHECK(z.id == "z");
  CHECK(to_string(z.permissions) == "env.read");
  CHECK(z.environment ==
        std::map<std::string, std::string>{{"HOME", "/tmp"}, {"LANG", "C"}, {"TZ", "UTC"}});
  CHECK(z.restart.max_restarts == 9);
  CHECK(z.restart.backoff_initial == 2s);
  CHECK(z.restart.backoff_max == 5s);

  auto const& a = p.hosts[1];
  CHECK(a.extension == "/opt/a");
  CHECK(to_string(a.permissions) == "ui.dialogs");
  CHECK(a.environment == std::map<std::string, std::string>{{"LANG", "de"}, {"TZ", "UTC"}});
  CHECK(a.restart.backoff_max == 9s);
}

TEST_CASE("a host is found by its id") {
  auto const p = parsed(documented);
  REQUIRE(p.find_host("a-second") != nullptr);
  CHECK(p.find_host("a-second")->id == "a-second");
  CHECK(p.find_host("a") == nullptr);
  CHECK(p.find_host("") == nullptr);
}

TEST_CASE("a policy file is resolved against its own folder, and what can't be read is said") {
  testing::temporary_directory const place;
  auto const& folder = place.path();
  auto const file = place.write("policy.toml", smallest);

  auto const loaded = load_policy(file);
  CHECK(loaded.file == file);
  CHECK(loaded.hosts.at(0).extension == folder / "x");
  CHECK(loaded.state_dir == folder / "state");
  CHECK(load_policy(folder / "." / "policy.toml").file == file);

  auto const unreadable = [](fs::path const& path) {
    try {
      load_policy(path);
    } catch (policy_error const& failed) {
      CHECK(failed.code() == errc::policy_unreadable);
      CHECK(failed.mistakes().front().line == 0);
      return failed.report();
    }
    return std::string{};
  };
  CHECK(unreadable(folder / "none") ==
        folder.string() + "/none: can't be read: there is no such file");
  CHECK(unreadable(folder) == folder.string() + ": can't be read: it is a folder");
  CHECK(unreadable("/dev/null") == "/dev/null: can't be read: it is not a regular file");
  place.write("policy.toml", std::string(policy_file_limit + 1, '\n'));
  CHECK(unreadable(file) ==
        folder.string() + "/policy.toml: can't be read: it is longer than 1MiB");
}

TEST_CASE("a truncated or damaged file gives a policy or mistakes with their place") {
  auto const survives = [](std::string const& text) {
    try {
      parsed(text);
    } catch (policy_error const& failed) {
      REQUIRE_FALSE(failed.mistakes().empty());
      for (auto const& mistake : failed.mistakes()) {
        REQUIRE(mistake.line >= 1);
        REQUIRE(mistake.column >= 1);
        REQUIRE_FALSE(mistake.sentence.empty());
      }
    }
  };
  for (std::size_t end = 0; end <= documented.size(); ++end)
    survives(std::string{documented.substr(0, end)});

  std::mt19937 random{20'240'601};
  auto const below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
  };
  for (int round = 0; round < 500; ++round) {
    std::string garbage(below(200), '\0');
    for (char& c : garbage)
      c = static_cast<char>(below(256));
    survives(garbage);

    std::string damaged{documented};
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      auto const at = below(damaged.size());
      auto const length = std::min(below(30), damaged.size() - at);
      damaged.replace(at, length, documented.substr(below(documented.size() - 30), below(30)));
    }
    survives(damaged);
  }
}
