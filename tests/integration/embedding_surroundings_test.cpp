// Programs that embed Bulkhead and are in a state of their own: without SIGCHLD, without streams.

#include "shared/forked.hpp"
#include "shared/text.hpp"
#include "test_hosts.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using test_hosts::only;
using test_hosts::raw_host;
using test_hosts::serving_host;

namespace {

host_policy contained_extension() {
  auto host = test_hosts::echo_extension();
  host.sandbox.require = sandbox_tier::basic; // at the least: what any user gets here
  return host;
}

/// How the first process of the policy's only host ends, after it was told to.
std::string end_of(host_policy host, std::string const& type, json const& asked) {
  host.restart.max_restarts = 0;
  auto const id = host.id;
  harness run{only(std::move(host))};
  if (!run.start())
    return "it did not start";
  auto const lost = run.call(type, asked);
  auto const end = run.wait_for_entry(id, host_state::Unhealthy);
  if (lost || !end || !run.wait_for(id, host_state::Crashed))
    return "it did not end";
  return std::string{to_string(end->why)} + ": " + end->detail;
}

json command(char const* name, json argument) {
  return {{"command", name}, {"args", boost::json::array{std::move(argument)}}};
}

/// Since Linux 6.15 an exit is told even where nobody can wait for it.
bool tells_unwaited_exits() {
  utsname seen{};
  int major = 0;
  int minor = 0;
  return ::uname(&seen) == 0 && std::sscanf(seen.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 15));
}

void ignore_ends_of_children(int flags) {
  struct sigaction chosen {};
  chosen.sa_handler = flags == 0 ? SIG_IGN : SIG_DFL;
  chosen.sa_flags = flags;
  ::sigaction(SIGCHLD, &chosen, nullptr);
}

bool has_children() {
  return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

std::string target_of(int descriptor) {
  std::array<char, 256> text{};
  auto const path = "/proc/self/fd/" + std::to_string(descriptor);
  auto const size = ::readlink(path.c_str(), text.data(), text.size());
  return size < 0 ? std::strerror(errno) : std::string{text.data(), static_cast<std::size_t>(size)};
}

} // namespace

TEST_CASE("exits are told as what they are where the embedding program ignores SIGCHLD") {
  auto const flags = GENERATE(0, SA_NOCLDWAIT);
  INFO((flags == 0 ? "SIG_IGN" : "SA_NOCLDWAIT"));
  auto const end_with = [&](host_policy const& host, std::string const& type, json const& asked) {
    return text_of_child([&] {
      ignore_ends_of_children(flags);
      return end_of(host, type, asked);
    });
  };
  auto const plain = [](char const* end) {
    return tells_unwaited_exits() ? std::string{end} : "exit_code: unknown exit status";
  };
  CHECK(end_with(serving_host(), "exit", 7) == plain("exit_code: exit code 7"));
  CHECK(end_with(serving_host(), "exit", 0) == plain("clean_exit: exit code 0"));
  CHECK(contains(end_with(serving_host(), "abort", {}), plain("signal: signal SIGSEGV")));
  // Its launcher tells.
  CHECK(end_with(contained_extension(), "executeCommand", command("exit", 7)) ==
        "exit_code: exit code 7");
  CHECK(contains(end_with(contained_extension(), "executeCommand", command("crash", nullptr)),
                 "signal: signal SIGABRT"));
}

TEST_CASE("a host is stopped, and killed, where the embedding program ignores SIGCHLD") {
  auto const flags = GENERATE(0, SA_NOCLDWAIT);
  CHECK(holds_in_child([&] {
    ignore_ends_of_children(flags);
    auto stubborn = raw_host({"ignore-term", "ready", "pause"});
    stubborn.stop.term_timeout = 50ms;
    harness run{policy_of({std::move(stubborn), contained_extension()})};
    return run.start() && test_hosts::stop(run.host("raw")) && test_hosts::stop(run.host("echo")) &&
           run.host("raw").status().pid == 0;
  }));
}

TEST_CASE("a runtime leaves no process and no zombie to the program that embeds it") {
  CHECK(text_of_child([]() -> std::string {
          {
            auto crashing = raw_host({"exit:1"}, "crashing");
            crashing.restart.max_restarts = 2;
            harness run{policy_of({std::move(crashing), serving_host("stopped"),
                                   serving_host("running"), contained_extension()})};
            run->start();
            if (!run.wait_for("crashing", host_state::Crashed) ||
                !run.wait_for("stopped", host_state::Running) ||
                !run.wait_for("running", host_state::Running) ||
                !run.wait_for("echo", host_state::Running) ||
                !test_hosts::stop(run.host("stopped")))
              return "the hosts did not do what they should";
            // The guard is the only one besides the hosts that run.
            if (!has_children())
              return "its hosts are not its children";
          }
          return has_children() ? "something is left" : "nothing is left";
        }) == "nothing is left");
}

TEST_CASE("a program without streams of its own serves, and nothing of ours is on their numbers") {
  auto const contained = GENERATE(false, true);
  CHECK(text_of_child([&]() -> std::string {
          for (auto const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            ::close(stream);
          harness run{only(contained ? contained_extension()
                                     : raw_host({"print:hello", "ready", "serve"}))};
          if (!run.start())
            return "it did not start";
          if (contained)
            outcome(run.host().async_command("print", {"hello\n"}, use_future));
          auto const reply = run.call(contained ? "executeCommand" : "echo",
                                      contained ? command("echo", 1) : json("served"));
          if (!reply)
            return reply.error().what();
          if (!run.wait_for_log("stdout: hello"))
            return "its output is not logged";
          std::printf("of the program that embeds it\n");
          std::fflush(stdout);
          if (!run.call(contained ? "list-extensions" : "echo"))
            return "it is not served after a printf";
          for (auto const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            if (auto const target = target_of(stream); target != "/dev/null")
              return std::to_string(stream) + " is " + target;
          return "served";
        }) == "served");
}
