#include "test_hosts.hpp"

#include <cstdlib>
#include <fstream>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

host_policy on_named_sockets(host_policy host) {
  host.transport = host_transport::sockets;
  return host;
}

/// The error with which a host could not be launched.
error launch_error(harness& run) {
  auto const started = test_hosts::start(run.host());
  REQUIRE(!started);
  CHECK(started.error().host_reason() == reason::launch_failed);
  CHECK(run.host().status().state == host_state::Crashed);
  return started.error();
}

} // namespace

TEST_CASE("a host on two named sockets is served in both directions") {
  auto const [name, host] =
      GENERATE(std::pair{"any language",
                         raw_host({"ready", R"(ask:log {"message":"over its own"})", "serve"})},
               std::pair{"Node", test_hosts::echo_extension()});
  INFO(name);
  auto const is_node = host.runtime == host_runtime::node;
  harness run{only(on_named_sockets(host))};
  REQUIRE(run.start());
  if (is_node) {
    auto const reply = outcome(run.host().async_command("echo", {1, 2}, use_future));
    REQUIRE(reply);
    CHECK(*reply == json{1, 2});
  } else {
    CHECK(run.call("echo", 7)->text() == "7");
    CHECK(run.wait_for_log("over its own"));
  }
  CHECK(run.host().status().violations == 0);
  CHECK(test_hosts::stop(run.host()));
}

TEST_CASE("a request on the connection that carries replies is a violation") {
  auto host = on_named_sockets(
      raw_host({"ready", R"(wrong:{"id":"a","type":"log","payload":{}})", "pause"}));
  host.restart.max_restarts = 0;
  harness run{only(std::move(host))};
  run->start();
  auto const end = run.wait_for_entry("raw", host_state::Unhealthy);
  REQUIRE(end);
  CHECK(end->detail.find("wrong_direction, 4316") != std::string::npos);
}

TEST_CASE("a host on named sockets is started again") {
  harness run{only(on_named_sockets(serving_host()))};
  REQUIRE(run.start());
  CHECK(!run.call("exit", 1));
  CHECK(run.call("echo"));
}

TEST_CASE("a socket path that is too long is a clear error") {
  temporary_directory files;
  auto what = only(on_named_sockets(serving_host()));
  what.state_dir = files.path() / std::string(90, 'd');
  harness run{std::move(what)};
  auto const failed = launch_error(run);
  CHECK(failed.detail().find("socket_path_too_long, 4604") != std::string::npos);
  CHECK(failed.detail().find("runtime.state_dir") != std::string::npos);
}

TEST_CASE("a state directory that can't be used is an error of the constructor") {
  temporary_directory files;
  auto what = only(serving_host());
  what.state_dir = files.write("file", "not a folder");
  try {
    runtime refused{what};
    FAIL("it was accepted");
  } catch (error const& failed) {
    CHECK(failed.code() == errc::state_dir_unusable);
    CHECK(!failed.remedy().empty());
  }
}

TEST_CASE("a host that is to be contained is not connected by a path") {
  auto host = on_named_sockets(serving_host());
  host.sandbox.require = GENERATE(sandbox_tier::basic, sandbox_tier::strong);
  try {
    harness refused{only(std::move(host))};
    FAIL("it was accepted");
  } catch (error const& failed) {
    CHECK(failed.code() == errc::policy_conflict);
    CHECK(failed.host() == "raw");
  }
}

TEST_CASE("a host gets the environment of its policy and nothing else") {
  ::setenv("BULKHEAD_TEST_SECRET", "of the backend", 1);
  auto host = serving_host();
  host.environment = {{"LANG", "C.UTF-8"}};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const reply = run.call("environment");
  ::unsetenv("BULKHEAD_TEST_SECRET");
  REQUIRE(reply);
  auto names = std::vector<std::string>{};
  for (auto const& [name, value] : reply->value().as_object())
    if (name != "LC_CTYPE") // python's own doing
      names.emplace_back(name);
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"BULKHEAD_IPC_FD", "LANG"});
}

TEST_CASE("a Node host's Buffers may lie in huge pages, unless its policy says otherwise") {
  auto const own = GENERATE(false, true);
  std::string const value = own ? "glibc.malloc.hugetlb=0" : "glibc.malloc.hugetlb=1";
  auto host = test_hosts::echo_extension();
  if (own)
    host.environment = {{"GLIBC_TUNABLES", value}};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const reply = outcome(run.host().async_command("environment", {}, use_future));
  REQUIRE(reply);
  CHECK(*reply == json{{"GLIBC_TUNABLES", value}});
}

TEST_CASE("a host has its streams and the connection, and no descriptor of the backend's") {
  std::ifstream open_here{"/dev/null"};
  harness run{policy_of({serving_host("one"), serving_host("two")})};
  REQUIRE(run.start());
  for (auto const* id : {"one", "two"}) {
    auto const reply = run.call_host(id, "descriptors");
    REQUIRE(reply);
    CHECK(reply->value() == json{0, 1, 2, 3, 4}); // 4 is the folder that it is reading
  }
}

TEST_CASE("what a host prints is logged under its name and kept") {
  harness run{only(raw_host({"print:hello", "print:\x1b[31mred", "ready", "serve"}))};
  REQUIRE(run.start());
  CHECK(run.wait_for_log("[raw] stdout: hello"));
  auto const escaped = run.wait_for_log("31mred");
  REQUIRE(escaped);
  CHECK(escaped->find('\x1b') == std::string::npos);
  auto const lines = run.host().status().last_lines;
  CHECK(std::find(lines.begin(), lines.end(), "hello") != lines.end());
}

TEST_CASE("the last words of a host that ended are kept") {
  harness run{only(test_hosts::echo_extension())};
  REQUIRE(run.start());
  auto const lost = outcome(run.host().async_command("exit", {3}, use_future));
  REQUIRE(!lost);
  CHECK(lost.error().code() == errc::connection_lost);
  CHECK(lost.error().host_reason() == reason::exit_code);
  CHECK(run.wait_for_log("called process.exit(3)"));
}
