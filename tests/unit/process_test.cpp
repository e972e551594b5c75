#include "shared/forked.hpp"
#include "shared/run_until.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/process.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::platform::child_process;
using bulkhead::platform::exit_kind;
using bulkhead::platform::exit_status;
using bulkhead::platform::output_reader;
using bulkhead::platform::process_spec;
using bulkhead::platform::spawn;
using bulkhead::platform::unique_fd;
using bulkhead::testing::holds_in_child;
using bulkhead::testing::run_until;
using bulkhead::testing::temporary_directory;
using clock_type = std::chrono::steady_clock;
using lines = std::vector<std::string>;

constexpr auto patience = 5s;

process_spec shell(std::string script) {
  return {.program = "/bin/sh",
          .arguments = {"-c", std::move(script)},
          .environment = {{"PATH", "/usr/bin:/bin"}},
          .working_directory = {},
          .inherited = {}};
}

process_spec command(fs::path program, std::vector<std::string> arguments = {}) {
  return {.program = std::move(program),
          .arguments = std::move(arguments),
          .environment = {},
          .working_directory = {},
          .inherited = {}};
}

/// A process, what it printed and how it ended.
struct watched {
  explicit watched(process_spec const& spec)
      : process{spawn(spec).value()}
      , output_reader_{io.get_executor(), process->take_output(), appender(output),
                       [this] { output_ended = true; }}
      , errors_reader_{io.get_executor(), process->take_errors(), appender(errors),
                       [this] { errors_ended = true; }} {
    process->async_wait_exit(io.get_executor(), [this](exit_status how) { status = how; });
  }
  watched(watched&&) = delete;

  /// Waits for its exit and for all that it and its children print.
  bool finish() {
    return run_until(io, [this] { return status && output_ended && errors_ended; });
  }
  bool wait_for_line() {
    return run_until(io, [this] { return !output.empty(); });
  }

  asio::io_context io;
  std::optional<child_process> process;
  lines output;
  lines errors;
  bool output_ended = false;
  bool errors_ended = false;
  std::optional<exit_status> status;

private:
  static bulkhead::platform::line_sink appender(lines& to) {
    return [&to](std::string_view line) { to.emplace_back(line); };
  }

  output_reader output_reader_;
  output_reader errors_reader_;
};

lines output_of(process_spec const& spec) {
  watched run{spec};
  REQUIRE(run.finish());
  CHECK(run.errors == lines{});
  CHECK(run.status == exit_status{exit_kind::exited, 0, false});
  return run.output;
}

std::string failure_of(process_spec const& spec) {
  auto const started = spawn(spec);
  REQUIRE(started.has_error());
  CHECK(started.error().code() == errc::spawn_failed);
  CHECK_FALSE(started.error().remedy().empty());
  return started.error().detail();
}

int open_descriptors() {
  return static_cast<int>(std::distance(fs::directory_iterator{"/proc/self/fd"}, {}));
}

/// Whether there is a child left that was not waited for, running or not.
bool has_children() {
  siginfo_t seen;
  return ::waitid(P_ALL, 0, &seen, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Whether everybody who could write to the pipe is gone, within the patience.
bool is_closed_soon(unique_fd const& pipe) {
  pollfd end{pipe.get(), 0, 0};
  return ::poll(&end, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) == 1 &&
         (end.revents & POLLHUP) != 0;
}

struct scratch_folder : temporary_directory {
  fs::path file(char const* name, std::string_view content, mode_t mode) const {
    auto const file = write(name, content);
    ::chmod(file.c_str(), mode);
    return file;
  }
};

} // namespace

TEST_CASE("a process gets its arguments literally", "[process]") {
  auto spec = command("/bin/echo", {"--bind", "$HOME", "a b", ""});
  CHECK(output_of(spec) == lines{"--bind $HOME a b "});
}

TEST_CASE("a process gets the named variables and no other", "[process]") {
  ::setenv("BULKHEAD_TEST_SECRET", "leaked", 1);
  auto spec = command("/usr/bin/env");
  CHECK(output_of(spec) == lines{});
  spec.environment = {{"A", "1"}, {"B", "two=2"}};
  CHECK(output_of(spec) == lines{"A=1", "B=two=2"});
  ::unsetenv("BULKHEAD_TEST_SECRET");
}

TEST_CASE("a process gets the named descriptors and no other", "[process]") {
  unique_fd const null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  // One that an embedding program forgot to close on exec, below and above the named ones.
  unique_fd const low{::fcntl(null.get(), F_DUPFD, 5)};
  unique_fd const high{::fcntl(null.get(), F_DUPFD, 50)};
  auto spec = shell("n=0; while [ $n -lt 100 ]; do"
                    " [ -e /proc/self/fd/$n ] && echo $n; n=$((n+1)); done; true");
  CHECK(output_of(spec) == lines{"0", "1", "2"});
  spec.inherited = {{20, null.get()}, {3, null.get()}};
  CHECK(output_of(spec) == lines{"0", "1", "2", "3", "20"});
}

TEST_CASE("inherited descriptors may have each other's numbers", "[process]") {
  scratch_folder const scratch;
  unique_fd const a{::open(scratch.file("a", "", 0600).c_str(), O_RDONLY | O_CLOEXEC)};
  unique_fd const b{::open(scratch.file("b", "", 0600).c_str(), O_RDONLY | O_CLOEXEC)};
  auto const in_child = [](unique_fd const& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
  };
  auto spec = command("/bin/readlink", {in_child(a), in_child(b)});
  spec.inherited = {{a.get(), b.get()}, {b.get(), a.get()}};
  CHECK(output_of(spec) == lines{scratch.path().string() + "/b", scratch.path().string() + "/a"});
  spec.inherited = {{a.get(), a.get()}, {b.get(), b.get()}};
  CHECK(output_of(spec) == lines{scratch.path().string() + "/a", scratch.path().string() + "/b"});
}

TEST_CASE("standard input is empty and the output streams are told apart", "[process]") {
  watched run{shell("cat; echo out; echo err >&2")};
  REQUIRE(run.finish());
  CHECK(run.output == lines{"out"});
  CHECK(run.errors == lines{"err"});
}

TEST_CASE("a process works in its directory", "[process]") {
  scratch_folder const scratch;
  auto spec = command("/bin/pwd");
  CHECK(output_of(spec) == lines{"/"});
  spec.working_directory = scratch.path();
  CHECK(output_of(spec) == lines{scratch.path().string()});
}

TEST_CASE("a process starts with every signal at its default", "[process]") {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  auto* const handler = ::signal(SIGPIPE, SIG_IGN);
  auto const seen = output_of(command("/bin/grep", {"-E", "^Sig(Blk|Ign)", "/proc/self/status"}));
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(seen == lines{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"});
}

TEST_CASE("a process leads its own group and session", "[process]") {
  auto spec = shell("read -r _ _ _ _ group session _ < /proc/self/stat;"
                    " [ $group = $$ ] && [ $session = $$ ] && echo own");
  CHECK(output_of(spec) == lines{"own"});
}

TEST_CASE("exit codes and signals are told apart", "[process]") {
  auto const end_of = [](std::string script) {
    watched run{shell(std::move(script))};
    REQUIRE(run.finish());
    CHECK(run.process->status() == run.status);
    return *run.status;
  };
  CHECK(end_of("exit 0") == exit_status{exit_kind::exited, 0, false});
  CHECK(end_of("exit 139") == exit_status{exit_kind::exited, 139, false});
  auto const crashed = end_of("ulimit -c 0; kill -SEGV $$");
  CHECK(crashed == exit_status{exit_kind::signaled, SIGSEGV, false});
  CHECK(to_string(crashed) == "signal SIGSEGV");
  CHECK(to_string(exit_status{exit_kind::signaled, SIGABRT, true}) ==
        "signal SIGABRT, core dumped");
  CHECK(to_string(exit_status{exit_kind::exited, 3, false}) == "exit code 3");
  CHECK(to_string(exit_status{}) == "unknown exit status");
}

TEST_CASE("an exit is seen at once", "[process]") {
  std::vector<clock_type::duration> taken;
  for (int i = 0; i < 15; ++i) {
    watched run{command("/bin/sleep", {"1000"})};
    // What was woken by the start is done before the clock starts.
    run.io.poll();
    auto const ended = clock_type::now();
    REQUIRE(run.process->signal(SIGKILL));
    REQUIRE(run_until(run.io, [&] { return run.status.has_value(); }));
    taken.push_back(clock_type::now() - ended);
    CHECK(*run.status == exit_status{exit_kind::signaled, SIGKILL, false});
  }
  std::ranges::sort(taken);
  auto const median = taken[taken.size() / 2];
  WARN("from SIGKILL to the exit handler, median: " << median / 1us << " us");
  CHECK(median < 50ms);
}

TEST_CASE("no child of a process survives it", "[process]") {
  // The sleeping one holds the pipe open: that it ends shows that it is gone.
  watched run{shell("trap '' TERM HUP; sleep 1000 & exit 3")};
  REQUIRE(run.finish());
  CHECK(run.status == exit_status{exit_kind::exited, 3, false});
}

TEST_CASE("every wait gets the exit, also one that comes after it", "[process]") {
  watched run{shell("exit 5")};
  lines order;
  run.process->async_wait_exit(run.io.get_executor(),
                               [&](exit_status how) { order.push_back(to_string(how)); });
  REQUIRE(run.finish());
  CHECK(order == lines{"exit code 5"});
  run.process->async_wait_exit(run.io.get_executor(),
                               [&](exit_status how) { order.push_back(to_string(how)); });
  CHECK(order.size() == 1);
  CHECK(run_until(run.io, [&] { return order == lines{"exit code 5", "exit code 5"}; }));
}

TEST_CASE("an ended process takes no signal", "[process]") {
  watched run{shell("exit 0")};
  REQUIRE(run.finish());
  CHECK_FALSE(run.process->signal(SIGTERM));
  run.process->kill_tree();
  CHECK_FALSE(has_children());
}

TEST_CASE("a process that ignores SIGTERM is killed with its children", "[process]") {
  watched run{shell("trap '' TERM; sleep 1000 & echo ready; wait; wait")};
  REQUIRE(run.wait_for_line());
  CHECK(run.process->signal(SIGTERM));
  CHECK(run.process->signal(0));
  run.process->kill_tree();
  REQUIRE(run.finish());
  CHECK(run.status == exit_status{exit_kind::signaled, SIGKILL, false});
}

TEST_CASE("destroying a running process ends its tree and leaves no zombie", "[process]") {
  std::optional<child_process> process = spawn(shell("sleep 1000 & sleep 1000")).value();
  auto const output = process->take_output();
  process.reset();
  CHECK_FALSE(has_children());
  CHECK(is_closed_soon(output));
}

TEST_CASE("a destroyed process calls no handler", "[process]") {
  asio::io_context io;
  int calls = 0;
  std::optional<child_process> process = spawn(shell("exit 0")).value();
  auto const output = process->take_output();
  process->async_wait_exit(io.get_executor(), [&](exit_status) { ++calls; });
  REQUIRE(is_closed_soon(output));
  process.reset();
  io.run_for(patience);
  CHECK(calls == 0);
  CHECK_FALSE(has_children());
}

TEST_CASE("an exit handler may destroy its process", "[process]") {
  asio::io_context io;
  int calls = 0;
  std::optional<child_process> process = spawn(shell("exit 0")).value();
  for (int i = 0; i < 2; ++i)
    process->async_wait_exit(io.get_executor(), [&](exit_status) {
      ++calls;
      process.reset();
    });
  io.run_for(patience);
  CHECK(calls == 1);
}

TEST_CASE("a replaced process is ended", "[process]") {
  auto process = spawn(command("/bin/sleep", {"1000"})).value();
  auto const output = process.take_output();
  process = spawn(command("/bin/sleep", {"1000"})).value();
  CHECK(is_closed_soon(output));
  CHECK(process.signal(0));
}

TEST_CASE("exits are seen when the embedding program ignores SIGCHLD", "[process]") {
  auto* const before = ::signal(SIGCHLD, SIG_IGN);
  {
    watched run{shell("exit 3")};
    CHECK(run.finish());
    // Since Linux 6.15 the kernel tells how, where it is asked in time.
    exit_status const unknown;
    CHECK((run.status == unknown || run.status == exit_status{exit_kind::exited, 3, false}));
    CHECK_FALSE(run.process->signal(SIGTERM));
    watched killed{command("/bin/sleep", {"1000"})};
    killed.process->kill_tree();
    CHECK(killed.finish());
    CHECK((killed.status == unknown ||
           killed.status == exit_status{exit_kind::signaled, SIGKILL, false}));
    // And the destructor does not wait for an exit status that never comes.
    auto const begun = clock_type::now();
    CHECK(spawn(command("/bin/sleep", {"1000"})).has_value());
    CHECK(clock_type::now() - begun < 2s);
  }
  ::signal(SIGCHLD, before);
}

TEST_CASE("an embedding program without standard streams can start a process", "[process]") {
  CHECK(holds_in_child([] {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
    unique_fd const low{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    auto spec = shell("cat; echo out; echo err >&2; cat <&3; echo still");
    spec.inherited = {{3, low.get()}};
    auto lifted = spawn(spec).value();
    watched run{spec};
    return low.get() == STDIN_FILENO && lifted.take_output().get() > STDERR_FILENO &&
           lifted.take_errors().get() > STDERR_FILENO && run.finish() &&
           run.output == lines{"out", "still"} && run.errors == lines{"err"};
  }));
}

TEST_CASE("what can't be started is refused with its path and the reason", "[process]") {
  scratch_folder const scratch;
  CHECK(failure_of(command("/nowhere/host")) ==
        "can't start /nowhere/host: No such file or directory");
  auto const plain = scratch.file("plain", "#!/bin/sh\n", 0644);
  CHECK(failure_of(command(plain)) == plain.string() + " may not be executed: Permission denied");
  auto const orphan = scratch.file("orphan", "#!/nowhere/sh\n", 0755);
  CHECK(failure_of(command(orphan)) ==
        orphan.string() + " needs an interpreter that is missing: No such file or directory");
  auto const noise = scratch.file("noise", "no program\n", 0755);
  CHECK(failure_of(command(noise)) == noise.string() + " is not a program: Exec format error");
  CHECK(failure_of(command(scratch.path())) ==
        scratch.path().string() + " is not a file: Permission denied");
  CHECK(failure_of(command("sh")) == "the program's path is not absolute: sh");
  CHECK_FALSE(has_children());
}

TEST_CASE("a working directory that is not there is named", "[process]") {
  scratch_folder const scratch;
  auto spec = command("/bin/true");
  spec.working_directory = "/nowhere";
  CHECK(failure_of(spec) == "the working directory /nowhere: No such file or directory");
  spec.working_directory = scratch.file("file", "", 0755);
  CHECK(failure_of(spec) ==
        "the working directory " + scratch.path().string() + "/file: Not a directory");
}

TEST_CASE("a specification that would be misread is refused", "[process]") {
  using namespace std::string_literals;
  failure_of(command("/bin/echo", {"a\0b"s}));
  auto spec = command("/bin/true");
  spec.environment = {{"A=B", "c"}};
  CHECK(failure_of(spec) == "not an environment variable: \"A=B\"");
  spec.environment = {{"A", "b\0c"s}};
  failure_of(spec);
  spec.environment.clear();
  for (auto const number : {-1, 2, 256, std::numeric_limits<int>::max()}) {
    spec.inherited = {{number, STDOUT_FILENO}};
    failure_of(spec);
  }
  spec.inherited = {{3, STDOUT_FILENO}, {3, STDERR_FILENO}};
  CHECK(failure_of(spec) == "descriptor 3 is to be inherited twice");
  spec.inherited = {{3, -1}};
  CHECK(failure_of(spec) == "can't hand descriptor 3 to /bin/true: Bad file descriptor");
}

TEST_CASE("no descriptor is left open, whether a start fails or not", "[process]") {
  auto const before = open_descriptors();
  failure_of(command("/nowhere/host"));
  { watched run{shell("exit 0")}; }
  {
    watched run{shell("exit 0")};
    CHECK(run.finish());
  }
  CHECK(open_descriptors() == before);
}
