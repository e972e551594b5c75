#include "policy_texts.hpp"

#include <bulkhead/config/policy_keys.hpp>

#include <algorithm>

using namespace bulkhead;
using namespace policy_texts;
using namespace std::chrono_literals;

TEST_CASE("an unknown key is told the nearest one of its table, or where its name belongs") {
  CHECK(host_report("[hosts.x.limits]\n  memmory = \"512MiB\"") ==
        "policy.toml:4:3: unknown key \"memmory\" in hosts.x.limits - did you mean \"memory\"?");
  CHECK(host_report("extention = \"y\"") ==
        "policy.toml:3:1: unknown key \"extention\" in hosts.x - did you mean \"extension\"?");
  CHECK(host_report("in_flight = 3") ==
        "policy.toml:3:1: unknown key \"in_flight\" in hosts.x - did "
        "you mean \"hosts.NAME.limits.in_flight\"?");
  CHECK(host_report("colour = 3") == "policy.toml:3:1: unknown key \"colour\" in hosts.x");
  CHECK(file_report("[host.y]") ==
        "policy.toml:4:2: unknown key \"host\" - did you mean \"hosts\"?");
  CHECK(file_report("[default]") ==
        "policy.toml:4:2: unknown key \"default\" - did you mean \"defaults\"?");
  CHECK(host_report("\"restart.window\" = \"1s\"") ==
        "policy.toml:3:1: unknown key \"restart.window\" in hosts.x");
}

TEST_CASE("a value of another type is refused with what the key takes") {
  CHECK(host_report("autostart = \"yes\"") ==
        "policy.toml:3:13: hosts.x.autostart is a string - it takes true or false");
  CHECK(host_report("runtime = 1") ==
        "policy.toml:3:11: hosts.x.runtime is a whole number - it takes \"node\" or \"command\"");
  CHECK(host_report("start_timeout = true") ==
        "policy.toml:3:17: hosts.x.start_timeout is a boolean "
        "- it takes a time such as \"30s\"");
  CHECK(host_report("permissions = \"env.read\"") == "policy.toml:3:15: hosts.x.permissions is a "
                                                     "string - it takes a list of permissions");
  CHECK(host_report("permissions = [1]") == "policy.toml:3:16: hosts.x.permissions has a whole "
                                            "number in it - it takes a permission in each place");
  CHECK(
      host_report("environment.LANG = 1979-05-27") ==
      "policy.toml:3:20: hosts.x.environment.LANG is a date or a time of day - it takes a string");
  CHECK(host_report("environment = []") ==
        "policy.toml:3:15: hosts.x.environment is a list - it takes a table of strings");
  CHECK(
      host_report("restart = 3") ==
      "policy.toml:3:11: hosts.x.restart is a whole number - it takes a table, [hosts.x.restart]");
  CHECK(host_report("restart.max_restarts = 1.5") ==
        "policy.toml:3:24: hosts.x.restart.max_restarts is a number - it takes a whole number");
  CHECK(host_report("restart.backoff.factor = \"2\"") ==
        "policy.toml:3:26: hosts.x.restart.backoff.factor is a string - it takes a number");
  CHECK(
      host_report("restart.never_on_exit_codes = [\"1\"]") ==
      "policy.toml:3:32: hosts.x.restart.never_on_exit_codes has a string in it - it takes a whole "
      "number in each place");
  CHECK(file_report("[runtime]\nname = 7") ==
        "policy.toml:5:8: runtime.name is a whole number - it takes a string");
  CHECK(file_report("[runtime]\nstate_dir = 7") ==
        "policy.toml:5:13: runtime.state_dir is a whole number - it takes a path in a string");
  CHECK(file_report("[requests]\nx = 7") ==
        "policy.toml:5:5: requests has a whole number in it - it "
        "takes a permission in each place");
  CHECK(report("hosts = 3") ==
        "policy.toml:1:9: hosts is a whole number - it takes a table for each host, [hosts.NAME]");
  CHECK(report("hosts.x = 3") ==
        "policy.toml:1:11: hosts.x is a whole number - it takes a table, [hosts.x]");
}

TEST_CASE("a time or a size without a unit is told what to write") {
  CHECK(host_report("limits.frame = \"12\"") ==
        "policy.toml:3:16: \"12\" has no unit - write \"12MiB\"");
  CHECK(host_report("limits.frame = 12") == "policy.toml:3:16: 12 has no unit - write \"12MiB\"");
  CHECK(host_report("start_timeout = 30") == "policy.toml:3:17: 30 has no unit - write \"30s\"");
  CHECK(host_report("restart.window = \"5\"") ==
        "policy.toml:3:18: \"5\" has no unit - write \"5min\"");
  CHECK(host_report("start_timeout = 1.5") ==
        "policy.toml:3:17: 1.5 has no unit - write a time such as \"30s\"");
  CHECK(host_report("start_timeout = -5") ==
        "policy.toml:3:17: -5 has no unit - write a time such as \"30s\"");
  CHECK(first_code("[hosts.x]\nextension=\"x\"\nstart_timeout = 3") == errc::policy_missing_unit);
}

TEST_CASE("a value outside its range is refused with the range") {
  CHECK(host_report("limits.in_flight = 0") ==
        "policy.toml:3:20: hosts.x.limits.in_flight is 0 - its range is 1 to 524288");
  CHECK(host_report("limits.in_flight = -1") ==
        "policy.toml:3:20: hosts.x.limits.in_flight is -1 - its range is 1 to 524288");
  CHECK(host_report("limits.in_flight = 524_289") ==
        "policy.toml:3:20: hosts.x.limits.in_flight is 524289 - its range is 1 to 524288");
  CHECK(host_report("limits.frame = \"51MiB\"") ==
        "policy.toml:3:16: hosts.x.limits.frame is \"51MiB\" - its range is \"1KiB\" to \"50MiB\"");
  CHECK(host_report("start_timeout = \"25h\"") ==
        "policy.toml:3:17: hosts.x.start_timeout is \"25h\" - its range is \"1ms\" to \"24h\"");
  CHECK(host_report("start_timeout = \"0s\"") ==
        "policy.toml:3:17: hosts.x.start_timeout is \"0s\" - its range is \"1ms\" to \"24h\"");
  CHECK(host_report("restart.backoff.jitter = 1.1") ==
        "policy.toml:3:26: hosts.x.restart.backoff.jitter is 1.1 - its range is 0.0 to 1.0");
  CHECK(host_report("restart.backoff.factor = nan") ==
        "policy.toml:3:26: hosts.x.restart.backoff.factor is nan - its range is 1.0 to 100.0");
  CHECK(host_report("restart.max_restarts = 4294967296") ==
        "policy.toml:3:24: hosts.x.restart.max_restarts is 4294967296 - its range is 0 to 1000");
  CHECK(host_report("restart.never_on_exit_codes = [0, 256]") ==
        "policy.toml:3:35: hosts.x.restart.never_on_exit_codes has 256 - its range is 0 to 255");
  CHECK(host_report("transport = \"pipe\"") ==
        "policy.toml:3:13: hosts.x.transport is \"pipe\" - it takes \"socketpair\" or \"sockets\"");
  CHECK(file_report("[runtime]\nstate_dir = \"\"") ==
        "policy.toml:5:13: runtime.state_dir is empty");
  CHECK(file_report("[runtime]\nstate_dir = \"a\\u0000b\"") ==
        "policy.toml:5:13: runtime.state_dir has a NUL character");
  CHECK(host_report("command = []") ==
        "policy.toml:3:11: hosts.x.command is empty - it takes a program and arguments");
  CHECK(host_report("command = [\"\"]") ==
        "policy.toml:3:12: the program in hosts.x.command is empty");
}

TEST_CASE("a range includes its ends") {
  CHECK(host_parsed("limits.in_flight = 1").hosts[0].limits.in_flight == 1);
  CHECK(host_parsed("limits.in_flight = 524288").hosts[0].limits.in_flight == 524288);
  CHECK(host_parsed("limits.frame = \"1KiB\"").hosts[0].limits.frame == 1024);
  CHECK(host_parsed("limits.frame = \"50MiB\"").hosts[0].limits.frame == 50u << 20);
  CHECK(host_parsed("start_timeout = \"1ms\"").hosts[0].start_timeout == 1ms);
  CHECK(host_parsed("start_timeout = \"24h\"").hosts[0].start_timeout == 24h);
  CHECK(host_parsed("restart.backoff.jitter = 1").hosts[0].restart.backoff_jitter == 1.0);
  CHECK(host_parsed("restart.backoff.initial = \"0s\"").hosts[0].restart.backoff_initial == 0ms);
}

TEST_CASE("names that can't be a part of a path are refused") {
  std::string const rule =
      " - a name is 1 to 64 of A-Z a-z 0-9 _ . - that start with a letter or a digit";
  CHECK(file_report("[runtime]\nname = \"a/b\"") ==
        "policy.toml:5:8: runtime.name is \"a/b\"" + rule);
  CHECK(file_report("[hosts.\"..\"]") == "policy.toml:4:8: the host's name is \"..\"" + rule);
  CHECK(file_report("[hosts.\"\"]") == "policy.toml:4:8: the host's name is \"\"" + rule);
  CHECK(first_code("[hosts." + std::string(65, 'x') + "]") == errc::policy_out_of_range);
  CHECK(parsed("[hosts." + std::string(64, 'x') + "]\nextension='x'\nsandbox.require='none'")
            .hosts[0]
            .id.size() == 64);
}

TEST_CASE("a host's name with a dot is shown as TOML writes it") {
  CHECK(report("[hosts.\"a.b\"]\nsandbox.require = \"none\"") ==
        "policy.toml:1:8: hosts.\"a.b\" has no extension - write  extension = \"FOLDER\"");
}

TEST_CASE("an unknown permission is told the nearest, each in its place") {
  CHECK(host_report("permissions = [\"fileSystem.raed\", \"env.read\", \"nothing\"]") ==
        "policy.toml:3:16: unknown permission \"fileSystem.raed\" - did you mean "
        "\"fileSystem.read\"?\n"
        "policy.toml:3:47: unknown permission \"nothing\" - \"bulkhead policy reference\" lists "
        "them all");
  CHECK(file_report("[requests]\n\"x\" = \"ui.dialog\"") ==
        "policy.toml:5:7: unknown permission \"ui.dialog\" - did you mean \"ui.dialogs\"?");
}

TEST_CASE("variables that would change what runs are refused") {
  CHECK(host_report("environment.LD_PRELOAD = \"x\"") ==
        "policy.toml:3:13: LD_PRELOAD can't be set in hosts.x.environment - it makes the host run "
        "code "
        "that is not the extension's");
  CHECK(host_report("environment = { BULKHEAD_IPC_FD = \"3\" }") ==
        "policy.toml:3:17: BULKHEAD_IPC_FD can't be set in hosts.x.environment - Bulkhead sets it "
        "itself");
  for (char const* name : {"NODE_OPTIONS", "DSCODE_IPC_URL", "LD_LIBRARY_PATH"})
    CHECK(first_code("[hosts.x]\nenvironment." + std::string{name} +
                     " = \"\"\nextension = \"x\"\n"
                     "sandbox.require = \"none\"") == errc::policy_conflict);
  CHECK(
      host_report("environment.\"A-B\" = \"x\"") ==
      "policy.toml:3:13: \"A-B\" in hosts.x.environment is no name of a variable - one is letters, "
      "digits and _ without a digit first");
  CHECK(host_report("environment.A = \"\\u0000\"") ==
        "policy.toml:3:17: hosts.x.environment.A has a NUL character");
}

TEST_CASE("keys that exclude or need each other are reported at the host") {
  constexpr std::string_view uncontained = "sandbox.require = \"none\"\n";
  CHECK(report("[hosts.x]\n" + std::string{uncontained}) ==
        "policy.toml:1:8: hosts.x has no extension - write  extension = \"FOLDER\"");
  CHECK(report("[hosts.x]\nruntime = \"command\"\n" + std::string{uncontained}) ==
        "policy.toml:1:8: hosts.x has no command - write  command = [\"PROGRAM\"]");
  CHECK(host_report("command = [\"x\"]") == "policy.toml:3:1: hosts.x.command needs  runtime = "
                                            "\"command\"  - a node host takes none");
  CHECK(host_report("restart.backoff.initial = \"31s\"") ==
        "policy.toml:3:1: hosts.x.restart.backoff.initial is \"31s\", longer than its max of "
        "\"30s\" - "
        "raise max");
  CHECK(host_parsed("runtime = \"command\"\ncommand = [\"node\"]").hosts[0].command ==
        std::vector<std::string>{"node"});
}

TEST_CASE("requests that Bulkhead answers itself are not the policy's to allow") {
  for (char const* type :
       {"fs.readFile", "fs.anything", "secretGet", "secretAnything", "workspace-find-files", "log",
        "command-registered", "command-unregistered", "extension-host-ready", "ping", "cancel"})
    CHECK(file_report("[requests]\n\"" + std::string{type} + "\" = \"env.read\"") ==
          "policy.toml:5:1: \"" + std::string{type} +
              "\" can't stand in requests - Bulkhead answers it itself");
  CHECK(file_report("[requests]\nx-response = \"env.read\"") ==
        "policy.toml:5:1: \"x-response\" can't stand in requests - it names an answer, not a "
        "request");
  CHECK(file_report("[requests]\n\"\" = \"env.read\"") ==
        "policy.toml:5:1: the request type \"\" has 0 bytes - its range is 1 to 128");
  CHECK(first_code(std::string{smallest} + "[requests]\n" + std::string(129, 'x') +
                   " = \"env.read\"") == errc::policy_out_of_range);
  CHECK(parsed(std::string{smallest} + "[requests]\n" + std::string(128, 'x') + " = \"env.read\"")
            .requests.size() == 1);
}

TEST_CASE("every key of a later feature is refused where it is written") {
  constexpr std::string_view host = "hosts.*.";
  for (auto const& row : policy_keys::all()) {
    if (!policy_keys::is_planned(row))
      continue;
    std::string path{row.path};
    if (row.path.starts_with(host))
      path = "defaults." + std::string{row.path.substr(host.size())};
    auto const text = path + " = 1\n" + std::string{smallest};
    auto const found = report(text);
    CHECK(found.starts_with("policy.toml:1:"));
    CHECK(found.ends_with(": " + path + " is not enforced by this version; remove it"));
    CHECK(std::ranges::count(found, '\n') == 0);
    CHECK(first_code(text) == errc::policy_not_supported);
  }
  CHECK(host_report("limits.network_requests = 1") ==
        "policy.toml:3:8: hosts.x.limits.network_requests is not enforced by this version; "
        "remove it");
}

TEST_CASE("a silence that is told only after the host is killed is a mistake") {
  CHECK(host_report("health = { unresponsive_after = \"5s\", kill_after = \"5s\" }") ==
        "policy.toml:3:1: hosts.x.health.unresponsive_after is \"5s\", not shorter than its "
        "kill_after of \"5s\" - raise kill_after");
}

TEST_CASE("all mistakes of a file are in one report, in its order") {
  CHECK(report(R"([requests]
log = "env.read"
[runtime]
nam = "x"
[hosts.b]
extension = "b"
start_timeout = 3
permissions = ["fileSystem.raed"]
[hosts.b.limits]
network_requests = 1
in_flight = 0
[hosts.a]
[defaults]
autostart = 1
)") == R"(policy.toml:2:1: "log" can't stand in requests - Bulkhead answers it itself
policy.toml:4:1: unknown key "nam" in runtime - did you mean "name"?
policy.toml:7:17: 3 has no unit - write "3s"
policy.toml:8:16: unknown permission "fileSystem.raed" - did you mean "fileSystem.read"?
policy.toml:10:1: hosts.b.limits.network_requests is not enforced by this version; remove it
policy.toml:11:13: hosts.b.limits.in_flight is 0 - its range is 1 to 524288
policy.toml:12:8: hosts.a has no extension - write  extension = "FOLDER"
policy.toml:14:13: defaults.autostart is a whole number - it takes true or false)");
}

TEST_CASE("the error shows the whole report and carries the first mistake's code") {
  try {
    parsed(std::string{smallest} + "a = 1\nb = 2");
    FAIL("this does not load");
  } catch (error const& failed) {
    CHECK(failed.code() == errc::policy_unknown_key);
    CHECK(failed.detail() == "policy.toml:4:1: unknown key \"a\" in hosts.x");
    CHECK(std::string{failed.what()} == "policy.toml:4:1: unknown key \"a\" in hosts.x\n"
                                        "policy.toml:5:1: unknown key \"b\" in hosts.x");
  }
}

TEST_CASE("what is not TOML is reported with its place") {
  CHECK(report("[hosts.x]\nextension = oops").starts_with("policy.toml:2:13: not valid TOML: "));
  CHECK(report("a = 1\na = 2").starts_with("policy.toml:2:"));
  CHECK(first_code("= 3") == errc::policy_syntax);
  CHECK(report("").starts_with("policy.toml:1:1: there is no host"));
  CHECK(first_code("[runtime]\nname = \"x\"") == errc::policy_missing_key);
  CHECK(report("\n[hosts]").starts_with("policy.toml:2:2: there is no host"));
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string dotted = "a";
  for (int i = 0; i < 300'000; ++i)
    dotted += ".a";
  CHECK(report("\n" + dotted + " = 1") ==
        "policy.toml:2:1: more than 128 dots in one line - break the line");
  CHECK(first_code("a = " + std::string(300'000, '[')) == errc::policy_syntax);

  std::string mixed;
  for (int i = 0; i < 127; ++i)
    mixed += dotted.substr(0, 255) + " = [\n{ ";
  CHECK(first_code(mixed) == errc::policy_syntax);
}
