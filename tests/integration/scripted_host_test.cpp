#include "test_hosts.hpp"

#include <bulkhead/platform/unique_fd.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using boost::json::array;
using boost::json::object;
using test_hosts::only;

namespace {

host_policy without_restarts(host_policy host) {
  host.restart.max_restarts = 0;
  return host;
}

/// Why the plugin's first process ended.
reason first_end(harness& run) {
  auto const end = run.wait_for_entry("plugin", host_state::Unhealthy);
  REQUIRE(end);
  return end->why;
}

/// Waits for the end of a process that is not ours.
bool ends(platform::unique_fd const& process, std::chrono::milliseconds within) {
  pollfd waits{process.get(), POLLIN, 0};
  return ::poll(&waits, 1, static_cast<int>(within.count())) == 1;
}

} // namespace

TEST_CASE("a scripted host is ready by itself and refuses what is not in its script") {
  scripted_host plugin{"plugin"};
  harness run{only(plugin.policy())};
  REQUIRE(run.start());
  CHECK(run.call("ping"));
  CHECK(run.call("activate-extension")->value() == json(object{{"success", true}}));
  CHECK(run.call("format").error().remote_code() == "not_in_script");
  auto const refused = outcome(run.host().async_command("lint", {}, use_future));
  CHECK(refused.error().detail().find("lint") != std::string::npos);
  CHECK(plugin.starts() == 1);
}

TEST_CASE("a scripted host crashes where its script says so, and goes on with the next turn") {
  scripted_host plugin{"plugin"};
  plugin.on("format").crash(SIGSEGV).then().exit(3).then().reply({{"text", "ok"}});
  harness run{only(plugin.policy())};
  REQUIRE(run.start());
  CHECK(run.call("format").error().host_reason() == reason::signal);
  CHECK(run.call("format").error().host_reason() == reason::exit_code);
  REQUIRE(run.wait_for("plugin", host_state::Running, after_restarts{2}));
  CHECK(!run.wait_for("plugin", host_state::Running, after_restarts{3}, 0ms));
  for (int i = 0; i < 3; ++i) // the last turn stays
    CHECK(run.call("format")->value() == json(object{{"text", "ok"}}));
  CHECK(plugin.starts() == 3);
  CHECK(plugin.received("format").size() == 5);
  CHECK(run.every_request_ended_once());
}

TEST_CASE("a scripted host's answers are what its script says") {
  scripted_host plugin{"plugin"};
  harness run{only(plugin.policy())};
  REQUIRE(run.start());

  SECTION("made of what was asked") {
    plugin.on("double").reply_with([](json const& asked) { return asked.as_int64() * 2; });
    CHECK(run.call("double", 21)->value() == json(42));
    REQUIRE(plugin.wait_for_requests("double"));
    CHECK(plugin.received("double") == std::vector<json>{21});
  }
  SECTION("of a command, its result") {
    plugin.on_command("join").reply_with([](json const& arguments) {
      std::string all;
      for (auto const& each : arguments.as_array())
        all += each.as_string();
      return json(all);
    });
    CHECK(*outcome(run.host().async_command("join", {"a", "b"}, use_future)) == json("ab"));
  }
  SECTION("of any other command, what it says of them all") {
    plugin.on_command("known").reply(1);
    plugin.on("executeCommand").reply(2);
    CHECK(*outcome(run.host().async_command("known", {}, use_future)) == json(1));
    CHECK(*outcome(run.host().async_command("other", {}, use_future)) == json(2));
  }
  SECTION("an error") {
    plugin.on("read").error("ENOSPC", "disk full");
    auto const failed = run.call("read");
    CHECK(failed.error().remote_code() == "ENOSPC");
    CHECK(failed.error().detail() == "disk full");
  }
  SECTION("an error where its function throws") {
    plugin.on("read").reply_with([](json const&) -> json { throw std::runtime_error{"oops"}; });
    CHECK(run.call("read").error().remote_code() == "script_failed");
  }
  SECTION("progress first") {
    plugin.on("index").partial(1).partial(2).reply("done");
    auto steps = std::make_shared<std::vector<std::string>>();
    auto const ended = outcome(run.host().async_request(
        "index", json{}, patience, use_future,
        [steps](payload const& step) { steps->emplace_back(step.text()); }));
    CHECK(ended->value() == json("done"));
    CHECK(*steps == std::vector<std::string>{"1", "2"});
  }
  SECTION("late, and others before it") {
    plugin.on("slow").after(100ms).reply("late");
    plugin.on("quick").reply("now");
    auto slow = run.request("plugin", "slow");
    CHECK(run.call("quick")->value() == json("now"));
    CHECK(slow.wait_for(0ms) == std::future_status::timeout);
    CHECK(outcome(std::move(slow))->value() == json("late"));
  }
  SECTION("after the deadline") {
    plugin.on("slow").after(100ms).reply("late");
    CHECK(run.call("slow", {}, 20ms).error().code() == errc::request_timeout);
    CHECK(plugin.wait_for_requests("cancel"));
  }
  SECTION("never") {
    plugin.on("slow").never();
    CHECK(run.call("slow", {}, 20ms).error().code() == errc::request_timeout);
  }
  SECTION("too many") {
    plugin.on("twice").reply(1).reply(2);
    plugin.on("next").reply_to_unknown(3).reply();
    CHECK(run.call("twice")->value() == json(1));
    REQUIRE(run.call("next"));
    CHECK(run.host().status().violations == 4);
    CHECK(run.every_request_ended_once());
  }
}

TEST_CASE("a scripted host asks the backend for what its test wants to know") {
  temporary_directory files;
  files.write("hello", "text");
  scripted_host plugin{"plugin"};
  CHECK(plugin.request("fs.stat").error().code() == errc::host_not_running);
  auto host = plugin.policy();
  host.permissions.insert(permission::ui_dialogs);
  auto what = only(std::move(host));
  what.requests.emplace("confirm", permission::ui_dialogs);
  harness run{std::move(what)};
  run->on_request("confirm", [](bulkhead::request const& asked) { return asked.payload(); });
  run->on_request("ask-slowly", [](bulkhead::request const&) { return json{}; });
  REQUIRE(run.start());

  CHECK(plugin.request("confirm", "sure?")->value() == json("sure?"));
  auto const denied = plugin.request("fs.readFile", {{"path", (files.path() / "hello").string()}});
  CHECK(denied.error().code() == errc::remote_error);
  CHECK(denied.error().remote_code() == "permission_denied");
  CHECK(plugin.request("confirm", {}, 0ms).error().code() == errc::request_timeout);

  plugin.now().hang();
  auto open = plugin.async_request("confirm");
  plugin.now().exit(0);
  CHECK(outcome(std::move(open)).error().code() == errc::connection_lost);
}

TEST_CASE("a scripted host may ask while it is activated") {
  scripted_host plugin{"plugin"};
  plugin.on("activate-extension")
      .request("command-registered", {{"command", "format"}})
      .reply({{"success", true}});
  harness run{only(plugin.policy())};
  REQUIRE(run.start());
  REQUIRE(run.call("activate-extension"));
  REQUIRE(plugin.request("command-registered", {{"command", "lint"}}));
  CHECK(run.host().status().commands == std::vector<std::string>{"format", "lint"});
}

TEST_CASE("a scripted host that hangs is killed, and serves again") {
  scripted_host plugin{"plugin"};
  plugin.on("format").hang().reply("never sent").then().reply("ok");
  auto host = plugin.policy();
  host.health = {.ping_interval = 20ms, .unresponsive_after = 100ms, .kill_after = 400ms};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(run.call("format").error().host_reason() == reason::hung);
  CHECK(run.call("format")->value() == json("ok"));
  CHECK(plugin.starts() == 2);
}

TEST_CASE("a scripted host that wakes up answers what it owes") {
  scripted_host plugin{"plugin"};
  plugin.on("format").hang().reply("at last");
  auto host = plugin.policy();
  host.health = {.ping_interval = 20ms, .unresponsive_after = 100ms, .kill_after = 1min};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto open = run.request("plugin", "format");
  REQUIRE(run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::unresponsive; }));
  CHECK(open.wait_for(0ms) == std::future_status::timeout);
  plugin.now().wake();
  CHECK(outcome(std::move(open))->value() == json("at last"));
  CHECK(run.wait_for_event(
      [](auto const& event) { return event.kind == host_event_kind::responsive; }));
}

TEST_CASE("a scripted host floods as fast as it can, and others are served meanwhile") {
  scripted_host plugin{"plugin"};
  scripted_host other{"other"};
  other.on("echo").reply_with([](json const& asked) { return asked; });
  harness run{policy_of({without_restarts(plugin.policy()), other.policy()})};
  REQUIRE(run.start());

  SECTION("with requests, which are limited") {
    constexpr std::size_t many = 50'000;
    plugin.on("begin").flood(many, "log", {{"level", "info"}, {"message", "again"}}).reply();
    REQUIRE(run.call_host("plugin", "begin"));
    CHECK(run.call_host("other", "echo", 1));
    CHECK(run.host("plugin").status().received == many);
    CHECK(run.host("plugin").status().denied > 0);
  }
  SECTION("with replies that nobody asked for, which ends it") {
    plugin.now().reply_to_unknown(50'000);
    CHECK(first_end(run) == reason::protocol_violation);
    CHECK(run.call_host("other", "echo", 1));
  }
}

TEST_CASE("a scripted host breaks the protocol with any bytes") {
  scripted_host plugin{"plugin"};
  harness run{only(without_restarts(plugin.policy()))};
  REQUIRE(run.start());
  SECTION("a frame of nothing") {
    plugin.now().send_raw(std::string(4, '\0'));
    CHECK(first_end(run) == reason::protocol_violation);
  }
  SECTION("an end inside of a frame") {
    plugin.now().send_raw({"\0\0\1", 3}).close_connection();
    CHECK(first_end(run) == reason::protocol_violation);
  }
}

TEST_CASE("a scripted host starts as its script says") {
  scripted_host plugin{"plugin"};
  auto host = without_restarts(plugin.policy());
  SECTION("not at all") {
    plugin.on_start().exit(3);
    harness run{only(std::move(host))};
    run->start();
    CHECK(first_end(run) == reason::exit_code);
  }
  SECTION("never ready") {
    plugin.on_start().never();
    host.start_timeout = 100ms;
    harness run{only(std::move(host))};
    run->start();
    CHECK(first_end(run) == reason::start_timeout);
  }
  SECTION("ready twice") {
    plugin.on_start().ready().ready();
    harness run{only(std::move(host))};
    run->start();
    CHECK(first_end(run) == reason::protocol_violation);
  }
  SECTION("late, after it has said something") {
    plugin.on_start().print("warming up").after(50ms).ready();
    harness run{only(std::move(host))};
    REQUIRE(run.start());
    CHECK(run.wait_for_log("stdout: warming up"));
  }
  SECTION("not at all, and once told, properly") {
    plugin.on_start().exit(3).then().ready();
    host.restart.max_restarts = 1;
    harness run{only(std::move(host))};
    run->start();
    REQUIRE(run.wait_for("plugin", host_state::Running, after_restarts{1}));
    CHECK(plugin.starts() == 2);
  }
}

TEST_CASE("a scripted host that ignores SIGTERM is killed") {
  scripted_host plugin{"plugin"};
  plugin.on_start().ignore_sigterm().ready();
  auto host = plugin.policy();
  host.stop.term_timeout = 100ms;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const began = std::chrono::steady_clock::now();
  REQUIRE(test_hosts::stop(run.host()));
  CHECK(std::chrono::steady_clock::now() - began >= 100ms);
}

TEST_CASE("what a scripted host leaves behind ends with its script") {
  platform::unique_fd left;
  {
    scripted_host plugin{"plugin"};
    harness run{only(plugin.policy())};
    REQUIRE(run.start());
    plugin.now().leave_orphan();
    auto const orphan = plugin.wait_for_orphan();
    REQUIRE(orphan);
    left.reset(static_cast<int>(::syscall(SYS_pidfd_open, *orphan, 0)));
    REQUIRE(left);
    CHECK(!ends(left, 0ms));
    REQUIRE(test_hosts::stop(run.host())); // although its output may still be held open
  }
  CHECK(ends(left, patience)); // with the host where it has a control group, else with the script
}

TEST_CASE("a scripted host takes over one of the embedder's policy, and keeps the rest") {
  scripted_host plugin{"formatter"};
  auto what = parse_policy("[hosts.formatter]\n"
                           "extension = \"nowhere\"\n"
                           "request_timeout = \"7s\"\n"
                           "[hosts.other]\n"
                           "extension = \"elsewhere\"\n"
                           "autostart = false\n",
                           "/");
  what.state_dir.clear();
  what.hosts.front().extension.clear(); // there is none to be read
  plugin.on("echo").reply();
  harness run{plugin.take_over(what)};
  CHECK(run->active_policy()->hosts.front().request_timeout == 7s);
  CHECK(run->active_policy()->hosts.back().runtime == host_runtime::node);
  REQUIRE(run.start());
  CHECK(run.call("echo"));
  CHECK_THROWS_AS(scripted_host{"nobody"}.take_over(what), std::invalid_argument);
}

TEST_CASE("a script that answers where nothing was asked is refused") {
  scripted_host plugin{"plugin"};
  CHECK_THROWS_AS(plugin.on_start().reply(), std::logic_error);
  CHECK_THROWS_AS(plugin.now().partial(1), std::logic_error);
}

TEST_CASE("that every request ended once is not said of none, nor while one is open") {
  scripted_host plugin{"plugin"};
  plugin.on("slow").never();
  harness run{only(plugin.policy())};
  REQUIRE(run.start());
  CHECK(!run.every_request_ended_once());
  auto open = run.request("plugin", "slow");
  CHECK(!run.every_request_ended_once(10ms));
  plugin.now().exit(1);
  CHECK(run.every_request_ended_once());
  CHECK(run.tally().failures() == std::map<errc, std::size_t>{{errc::connection_lost, 1}});
}
