// The command as its users meet it: a process, its output, its exit code.

#include "run_command.hpp"
#include "served_process.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

using bulkhead::testing::contains;
using bulkhead::testing::json_lines;
using bulkhead::testing::ran_command;
using bulkhead::testing::run_bulkhead;
using bulkhead::testing::run_command;
using bulkhead::testing::served_process;
using bulkhead::testing::temporary_directory;

namespace {

std::filesystem::path const command{BULKHEAD_TEST_COMMAND};
std::filesystem::path const source{BULKHEAD_TEST_SOURCE_DIR};

/// A policy of hosts that each run one extension folder of the tests.
class policy_file {
public:
  explicit policy_file(std::vector<std::string> const& extensions = {"echo"},
                       std::string const& more = {}) {
    std::string text = "[runtime]\nstate_dir = \"state\"\nlog_level = \"warn\"\n"
                       "[defaults.sandbox]\nrequire = \"none\"\n"
                       "[defaults.restart]\nmax_restarts = 0\n" +
                       more;
    for (auto const& name : extensions)
      text += "[hosts." + name + "]\nextension = \"" +
              (source / "tests/integration/extensions" / name).string() +
              "\"\npermissions = [\"fileSystem.read\", \"fileSystem.write\"]\n";
    path_ = folder_.write("policy.toml", text);
  }

  std::string path() const { return path_.string(); }

private:
  temporary_directory folder_;
  std::filesystem::path path_;
};

ran_command call_echo(std::vector<std::string> arguments, std::string_view input = {}) {
  policy_file const policy;
  arguments.insert(arguments.begin(), {command.string(), "call", policy.path(), "echo"});
  return run_command(arguments, input);
}

} // namespace

// ---- help and usage ---------------------------------------------------------------------------

TEST_CASE("every level of the command explains itself, with an example", "[command]") {
  std::vector<std::vector<std::string>> const levels = {{},
                                                        {"run"},
                                                        {"call"},
                                                        {"policy"},
                                                        {"policy", "check"},
                                                        {"policy", "reference"},
                                                        {"policy", "schema"},
                                                        {"policy", "explain"},
                                                        {"secrets"},
                                                        {"audit"},
                                                        {"audit", "verify"}};
  for (auto const& level : levels) {
    auto asked = level;
    asked.emplace_back("--help");
    auto const shown = run_bulkhead(asked);
    CAPTURE(asked, shown.output, shown.errors);
    CHECK(shown.exit_code == 0);
    CHECK(shown.output.starts_with("Usage: bulkhead"));
    CHECK(contains(shown.output, "\nExample:\n"));
    CHECK(shown.errors.empty());

    asked = level;
    asked.insert(asked.begin(), "help");
    CHECK(run_bulkhead(asked).output == shown.output);
  }
}

TEST_CASE("the command tells its version", "[command]") {
  auto const shown = run_bulkhead({"--version"});
  CHECK(shown.exit_code == 0);
  CHECK(shown.output == "bulkhead 0.1.0\n");
}

TEST_CASE("a mistake in the call is told with what was probably meant, and ends with 2",
          "[command]") {
  struct mistake {
    std::vector<std::string> arguments;
    std::string told;
  };
  std::vector<mistake> const mistakes = {
      {{}, "Usage: bulkhead"},
      {{"polcy"}, "there is no command \"polcy\" - did you mean \"policy\"?"},
      {{"policy", "chekc"}, "there is no command \"chekc\" - did you mean \"check\"?"},
      {{"--verison"}, "there is no option \"--verison\" - did you mean \"--version\"?"},
      {{"run", "--jsno", "p.toml"}, "did you mean \"--json\"?"},
      {{"run"}, "POLICY is missing"},
      {{"call", "p.toml"}, "HOST is missing"},
      {{"policy", "check", "a", "b"}, "\"b\" is one argument too many"},
      {{"call", "p.toml", "h", "c", "--timeout", "5"}, "no such file"},
      {{"call", "p.toml", "h", "c", "hello"}, "'\"text\"'"},
      {{"call", "p.toml", "h", "c", "-", "-"}, "not JSON"},
  };
  for (auto const& [arguments, told] : mistakes) {
    auto const refused = run_bulkhead(arguments);
    CAPTURE(arguments, refused.errors);
    CHECK(refused.exit_code == (told == "no such file" ? 3 : 2));
    CHECK(contains(refused.errors, told));
    CHECK(refused.output.empty());
  }
}

TEST_CASE("output that nobody can take is a failure and no crash", "[command]") {
  auto const ended =
      run_command({"/bin/sh", "-c", "exec \"$0\" policy reference > /dev/full", command.string()});
  CHECK(ended.exit_code == 1);
  CHECK(contains(ended.errors, "standard output can't be written"));
}

// ---- policy -----------------------------------------------------------------------------------

TEST_CASE("a policy without mistakes is said to be one", "[command]") {
  policy_file const policy{{"echo", "esm"}};
  auto const checked = run_bulkhead({"policy", "check", policy.path()});
  CHECK(checked.exit_code == 0);
  CHECK(checked.output == policy.path() + ": ok (2 hosts)\n");
}

TEST_CASE("a policy's mistakes are reported with their places, and end with 3", "[command]") {
  policy_file const policy{{"echo"}, "in_flihgt = 3\nwindow = 5\n"};
  auto const checked = run_bulkhead({"policy", "check", policy.path()});
  CAPTURE(checked.errors);
  CHECK(checked.exit_code == 3);
  CHECK(checked.output.empty());
  CHECK(contains(checked.errors, policy.path() + ":8:1: unknown key \"in_flihgt\""));
  CHECK(contains(checked.errors, policy.path() + ":9:"));
  // Whoever uses it gets the same report.
  for (auto const& use :
       {std::vector<std::string>{"run", policy.path()}, {"call", policy.path(), "echo", "echo"}}) {
    auto const refused = run_bulkhead(use);
    CHECK(refused.exit_code == 3);
    CHECK(refused.errors == checked.errors);
  }
}

TEST_CASE("a host whose containment can't be had ends a call with 4", "[command]") {
  temporary_directory const folder;
  folder.write("filter", "this is no filter");
  auto const rules =
      folder.write("policy.toml", "[hosts.echo]\nextension = \"" +
                                      (source / "tests/integration/extensions/echo").string() +
                                      "\"\nsandbox.seccomp = \"filter\"\n");
  auto const called = run_bulkhead({"call", rules.string(), "echo", "echo", "1"});
  CAPTURE(called.errors);
  CHECK(called.exit_code == 4);
  CHECK(contains(called.errors, "sandbox_step_failed"));
}

TEST_CASE("the reference and the schema are printed", "[command]") {
  CHECK(contains(run_bulkhead({"policy", "reference"}).output, "max_restarts"));
  auto const schema = run_bulkhead({"policy", "schema"});
  CHECK(schema.exit_code == 0);
  CHECK(boost::json::parse(schema.output).as_object().contains("properties"));
}

// ---- call -------------------------------------------------------------------------------------

TEST_CASE("a call prints the result as one line of JSON", "[command]") {
  auto const called = call_echo({"echo", "\"a\\nb\"", "-1.5", "{\"n\": [0.5, null, true, 1e300]}"});
  CAPTURE(called.errors);
  CHECK(called.exit_code == 0);
  CHECK(called.output == "[\"a\\nb\",-1.5,{\"n\":[0.5,null,true,1e+300]}]\n");
  CHECK(called.errors.empty());
}

TEST_CASE("a call reads an argument from standard input", "[command]") {
  auto const long_text = '"' + std::string(300'000, 'x') + '"';
  auto const called = call_echo({"echo", "1", "-"}, long_text);
  CHECK(called.exit_code == 0);
  CHECK(called.output == "[1," + long_text + "]\n");
}

TEST_CASE("an extension's error ends a call with 1, and what it says can't steer a terminal",
          "[command]") {
  auto const called = call_echo({"throw", "\"no \\u001b[31mrules\"", "\"bad_rules\""});
  CAPTURE(called.errors);
  CHECK(called.exit_code == 1);
  CHECK(called.output.empty());
  CHECK(contains(called.errors, "rules"));
  CHECK(contains(called.errors, "remote_error, 4009; bad_rules"));
  CHECK_FALSE(contains(called.errors, "\x1b"));
}

TEST_CASE("a call to what is not there names what is", "[command]") {
  policy_file const policy;
  auto const host = run_bulkhead({"call", policy.path(), "ecko", "echo"});
  CHECK(host.exit_code == 1);
  CHECK(contains(host.errors, "did you mean \"echo\"?"));
  CHECK(contains(host.errors, "unknown_host, 4010"));

  auto const unknown = run_bulkhead({"call", policy.path(), "echo", "ecco"});
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.errors, "unknown_command"));
  CHECK(contains(unknown.errors, "it has: "));
}

TEST_CASE("a call that its host does not survive tells why, with the host's last lines",
          "[command]") {
  auto const called = call_echo({"exit", "3"});
  CAPTURE(called.errors);
  CHECK(called.exit_code == 1);
  CHECK(contains(called.errors, "connection_lost, 4003; exit_code"));
  CHECK(contains(called.errors, "its last lines:"));
}

TEST_CASE("a call ends at its deadline", "[command]") {
  auto const called = call_echo({"hang", "--timeout", "1500ms"});
  CHECK(called.exit_code == 1);
  CHECK(contains(called.errors, "request_timeout, 4001"));
}

TEST_CASE("a call of an extension that can't be activated says why", "[command]") {
  policy_file const policy{{"bad-activation"}};
  auto const called = run_bulkhead({"call", policy.path(), "bad-activation", "unreachable"});
  CHECK(called.exit_code == 1);
  CHECK(contains(called.errors, "no licence key"));
}

TEST_CASE("a call of an extension that is not there says where it was sought", "[command]") {
  policy_file const policy{{"not-there"}};
  auto const called = run_bulkhead({"call", policy.path(), "not-there", "echo"});
  CAPTURE(called.errors);
  CHECK(called.exit_code == 1);
  CHECK(contains(called.errors, "extensions/not-there"));
  CHECK(contains(called.errors, "extension_unusable"));
}

// ---- run --------------------------------------------------------------------------------------

TEST_CASE("run prints a line for each event and ends in order at SIGTERM", "[command]") {
  policy_file const policy{{"echo", "esm"}};
  served_process served{{command.string(), "run", policy.path()}};
  served.wait_for_output("echo: activated");
  served.wait_for_output("esm: activated");
  served.signal(SIGTERM);
  auto const ended = served.wait();
  CAPTURE(ended.output, ended.errors);
  CHECK(ended.exit_code == 0);
  CHECK(contains(ended.output, "2 hosts · contained: none"));
  CHECK(contains(ended.output, "Z echo: Stopped -> Starting (requested)"));
  CHECK(contains(ended.output, "Z esm: Starting -> Running (ready"));
  CHECK(contains(ended.output, "Z esm: Stopping -> Stopped (requested)"));
  CHECK(ended.output.ends_with("Z ended\n"));
  CHECK_FALSE(contains(ended.output, "\x1b"));
}

TEST_CASE("run --json prints an object for each event, with the documented members", "[command]") {
  policy_file const policy;
  served_process served{{command.string(), "run", "--json", policy.path()}};
  served.wait_for_output("\"activated\"");
  served.signal(SIGINT);
  auto const ended = served.wait();
  CHECK(ended.exit_code == 0);
  auto const lines = json_lines(ended.output);
  REQUIRE(lines.size() >= 5);
  CHECK(lines.front().at("event") == "serving");
  CHECK(lines.front().at("hosts") == boost::json::array{"echo"});
  CHECK(lines.back().at("event") == "ended");
  for (auto const& event : lines) {
    if (event.at("event") == "serving" || event.at("event") == "ended")
      continue;
    if (event.at("event") == "usage") {
      for (auto const* const member : {"time", "host", "usage", "at_exit"})
        CHECK(event.contains(member));
      continue;
    }
    CHECK(event.contains("sandbox") ==
          (event.at("to") == "Running" && event.at("event") == "state_changed"));
    CHECK(event.contains("start") ==
          (event.contains("sandbox") || event.at("event") == "activated"));
    if (event.contains("start")) {
      auto const& phases = event.at("start").at("phases");
      for (auto const* const phase : {"prepare_us", "spawn_us", "runtime_us", "handshake_us"})
        CHECK(phases.at(phase).as_int64() > 0);
      CHECK((phases.at("activate_us").as_int64() > 0) == (event.at("event") == "activated"));
    }
    for (auto const* const member :
         {"time", "event", "host", "from", "to", "reason", "reason_code", "detail", "pid",
          "restarts", "warm_starts", "cold_starts", "spares", "spares_lost", "code_cached"})
      CHECK(event.contains(member));
  }
}

TEST_CASE("run goes on without a host that can't be started, and says so", "[command]") {
  policy_file const policy{{"not-there"}};
  served_process served{{command.string(), "run", policy.path()}};
  served.wait_for_output("Starting -> Crashed (launch_failed");
  served.signal(SIGTERM);
  auto const ended = served.wait();
  CHECK(ended.exit_code == 0);
  CHECK(contains(ended.errors, "no host is running any more; serving on"));
}

TEST_CASE("run shows a table on a terminal, in colour unless NO_COLOR is set", "[command]") {
  policy_file const policy;
  for (bool const colours : {true, false}) {
    auto const* const setting = colours ? "NO_COLOR=" : "NO_COLOR=1";
    served_process served{
        {"/usr/bin/env", "TERM=xterm", setting, command.string(), "run", policy.path()},
        served_process::output_to::terminal};
    served.wait_for_output("Running");
    served.signal(SIGTERM);
    auto const ended = served.wait();
    CAPTURE(ended.output);
    CHECK(ended.exit_code == 0);
    CHECK(contains(ended.output,
                   " host  state       pid    up    contained  memory   cpu   restarts"));
    CHECK(contains(ended.output, "\x1b[3A"));
    CHECK(contains(ended.output, "\x1b[32m") == colours);
  }
}

// ---- the example backends ---------------------------------------------------------------------

TEST_CASE("the example backend gets the greeter's answer and answers its request", "[examples]") {
  auto const ran = run_command({(command.parent_path() / "example_backend").string(),
                                (source / "tools/examples/greeter.toml").string()});
  CAPTURE(ran.errors);
  CHECK(ran.exit_code == 0);
  CHECK(contains(ran.output, "greeter says: greeting world\n"));
  CHECK(contains(ran.output, "greeter answers: \"hello world\"\n"));
}

TEST_CASE("the demo's hosts do what they should, and nothing gets through", "[examples]") {
  auto const ran = run_command({(command.parent_path() / "demo_backend").string(),
                                (source / "tools/examples/demo/policy.toml").string()});
  CAPTURE(ran.output, ran.errors);
  CHECK(ran.exit_code == 0);
  CHECK(contains(ran.output, "4 hosts · contained: strong"));
  CHECK(contains(ran.output, "\nreport   "));
  CHECK(contains(ran.output, "\nflaky    crashed 2 times"));
  CHECK(contains(ran.output, "\nsleeper  hung and was killed, "));
  CHECK(contains(ran.output, "no answer for 2s; its main thread "));
  CHECK(contains(ran.output, "; 0 got through"));
  CHECK(contains(ran.output, "\nNext: "));
}
