#include "process_tree.hpp"
#include "test_hosts.hpp"

#include <bulkhead/platform/output_lines.hpp>
#include <bulkhead/platform/process.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace bulkhead;
using namespace bulkhead::testing;
using namespace std::chrono_literals;
using boost::asio::use_future;
using test_hosts::only;
namespace disk = std::filesystem;

namespace {

host_policy contained(sandbox_tier tier) {
  auto host = node_host("contained", test_hosts::folder / "extensions/contained");
  host.sandbox.require = tier;
  host.restart.max_restarts = 0;
  return host;
}

json told(harness& run, std::string command, boost::json::array arguments = {}) {
  auto const ended =
      outcome(run.host().async_command(std::move(command), std::move(arguments), use_future));
  if (!ended)
    return json{{"lost", ended.error().what()}};
  return *ended;
}

/// Lets it do something that it does not survive.
void provoke(harness& run, std::string command, boost::json::array arguments = {}) {
  run.host().async_command(std::move(command), std::move(arguments), 60s,
                           [](std::exception_ptr, json const&) {});
}

std::optional<host_event> end_of(harness& run) {
  return run.wait_for_entry("contained", host_state::Unhealthy, 30s);
}

sandbox_report::layer const* layer_of(sandbox_report const& report, std::string_view name) {
  auto const found = std::ranges::find(report.layers, name, &sandbox_report::layer::name);
  return found != report.layers.end() ? &*found : nullptr;
}

pid_t parent_of(pid_t process) {
  auto const status = process_file(process, "status");
  constexpr std::string_view name = "\nPPid:\t";
  return std::stoi(status.substr(status.find(name) + name.size()));
}

/// While it lives, a process that ends stays as it is in the middle of that, with all that its end
/// would bring about.
class held_exit {
public:
  explicit held_exit(pid_t process)
      : process_{::ptrace(PTRACE_SEIZE, process, nullptr, PTRACE_O_TRACEEXIT) == 0 ? process : 0} {}
  held_exit(held_exit const&) = delete;
  ~held_exit() { release(); }

  /// False: this process may not hold that one.
  explicit operator bool() const noexcept { return process_ != 0; }

  /// On the thread that made it. Waits until the process has come to its end.
  void release() {
    if (process_ == 0)
      return;
    ::waitpid(process_, nullptr, __WALL);
    ::ptrace(PTRACE_DETACH, std::exchange(process_, 0), nullptr, nullptr);
  }

private:
  pid_t process_;
};

/// What on_usage() told.
class usage_log {
public:
  void keep(usage_report const& report) {
    std::lock_guard const lock{mutex_};
    reports_.push_back(report);
    changed_.notify_all();
  }
  bool wait_for(std::function<bool(usage_report const&)> const& wanted) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, 10s, [&] { return std::ranges::any_of(reports_, wanted); });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<usage_report> reports_;
};

/// How often this process has read, this time included; 0 where the kernel does not count it.
std::uint64_t reads_so_far() {
  std::ifstream counters{"/proc/self/io"};
  for (std::string name; counters >> name;)
    if (std::uint64_t count = 0; name == "syscr:" && counters >> count)
      return count;
  return 0;
}

} // namespace

TEST_CASE("the end of a sandboxed program is told before its sandbox has ended") {
  harness run{only(contained(sandbox_tier::strong))};
  REQUIRE(run.start());
  auto const program = run.host().status().pid;
  held_exit first{parent_of(program)};
  if (!first) {
    WARN("this machine lets nobody trace the sandbox, so it is not tested here");
    return;
  }
  ::kill(program, SIGKILL);

  auto const unhealthy = end_of(run);
  REQUIRE(unhealthy);
  CHECK(unhealthy->detail == "signal SIGKILL");
  CHECK(run.host().status().state == host_state::Unhealthy);
  first.release();
  CHECK(run.wait_for_entry("contained", host_state::Crashed, 30s));
}

TEST_CASE("an extension runs in a sandbox, and its Running event says what is in force") {
  harness run{only(contained(sandbox_tier::strong))};
  REQUIRE(run.start());
  auto const running = run.wait_for_entry("contained", host_state::Running);
  REQUIRE(running);
  CHECK(running->sandbox.tier == sandbox_tier::strong);
  for (auto const* name : {"namespaces", "root", "network", "identity", "landlock", "seccomp",
                           "memory", "processes", "cpu", "files"}) {
    INFO(name);
    auto const* const layer = layer_of(running->sandbox, name);
    REQUIRE(layer);
    CHECK(layer->holds);
    CHECK(!layer->detail.empty());
  }
  CHECK(run.host().status().sandbox == running->sandbox);
  CHECK(run.host().status().pid > 0);
  auto const user = told(run, "user");
  INFO(user);
  CHECK(user.at("value").at("uid") == 1000);
  CHECK(user.at("value").at("host") == "host");
  CHECK(user.at("value").at("pid") == 2); // 1 is the launcher
  CHECK(test_hosts::stop(run.host()));
}

TEST_CASE("a contained extension reaches nothing of the machine by itself") {
  temporary_directory place;
  auto const secret = place.write("secret", "of the backend");
  disk::permissions(place.path(), disk::perms::others_exec | disk::perms::others_read,
                    disk::perm_options::add);
  harness run{only(contained(sandbox_tier::strong))};
  REQUIRE(run.start());
  CHECK(told(run, "read", {secret.string()}) == json{{"code", "ENOENT"}});
  CHECK(told(run, "list", {"/etc"}) == json{{"code", "EACCES"}});
  CHECK(told(run, "write", {(test_hosts::folder / "extensions/contained/new").string()})
            .as_object()
            .contains("code"));
  CHECK(told(run, "write", {"/tmp/own"}) == json{{"value", nullptr}});
  CHECK(told(run, "spawn").as_object().contains("code"));
  CHECK(told(run, "connect", {"127.0.0.1", 1}).at("code") == "EACCES");
  CHECK(told(run, "evaluate", {"return 7"}).as_object().contains("code"));
  auto const variables = told(run, "environment");
  for (auto const& [name, value] : variables.as_object()) {
    INFO(name);
    CHECK((name == "HOME" || name == "TMPDIR" || name == "BULKHEAD_IPC_FD" ||
           name == "GLIBC_TUNABLES" || name == "LC_CTYPE"));
  }
}

TEST_CASE("a contained extension writes its own folders only where it is allowed to") {
  auto const allowed = GENERATE(false, true);
  auto host = contained(sandbox_tier::strong);
  host.sandbox.file_write = allowed;
  host.limits.storage = 1 << 20;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const storage = run->active_policy()->state_dir / "storage/contained";
  auto const written = told(run, "write", {(storage / "file").string(), 1000});
  CHECK(written.as_object().contains("code") == !allowed);
  CHECK(disk::exists(storage / "file") == allowed);
  if (!allowed)
    return;
  provoke(run, "write", {(storage / "large").string(), 2 << 20});
  auto const end = end_of(run);
  REQUIRE(end);
  CHECK(end->why == reason::limit_exceeded);
  CHECK(end->detail.find("limits.storage") != std::string::npos);
}

TEST_CASE("a contained extension reaches the machine's network only where it is granted") {
  auto const granted = GENERATE(false, true);
  auto host = contained(sandbox_tier::strong);
  host.sandbox.network = granted;
  boost::asio::io_context loop;
  boost::asio::ip::tcp::acceptor listener{
      loop, {boost::asio::ip::address_v4::loopback(), boost::asio::ip::port_type{0}}};
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const port = listener.local_endpoint().port();
  auto const knows_names = disk::exists("/etc/hosts"); // the smallest systems have none
  CHECK(told(run, "connect", {granted && knows_names ? "localhost" : "127.0.0.1", port}) ==
        (granted ? json{{"value", "connected"}} : json{{"code", "EACCES"}}));
  auto const status = run.host().status();
  auto const* const layer = layer_of(status.sandbox, "network");
  REQUIRE(layer);
  CHECK(layer->holds == !granted);
}

TEST_CASE("memory past the limit ends the host and nobody else") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  host.limits.memory = 128 << 20;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  SECTION("outside of V8's heap") {
    provoke(run, "balloon", {400});
  }
  SECTION("in V8's heap") {
    provoke(run, "heap");
  }
  auto const end = end_of(run);
  REQUIRE(end);
  INFO(to_string(*end));
  CHECK(end->why == reason::out_of_memory);
}

TEST_CASE("CPU time past the limit ends the host") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  host.limits.cpu_time = 1s;
  host.limits.cpu_percent = 0;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  provoke(run, "spin");
  auto const end = end_of(run);
  REQUIRE(end);
  INFO(to_string(*end));
  CHECK(end->why == reason::limit_exceeded);
  CHECK(end->detail.find("limits.cpu_time") != std::string::npos);
}

TEST_CASE("a flood of output ends the host, and the log has the beginning of it") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  host.limits.output_rate = 64 << 10;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  provoke(run, "print", {64});
  auto const end = end_of(run);
  REQUIRE(end);
  INFO(to_string(*end));
  CHECK(end->why == reason::limit_exceeded);
  CHECK(end->detail.find("limits.output_rate") != std::string::npos);
  CHECK(run.wait_for_log("output is left out"));
}

TEST_CASE("a host writes no file past the limit of its size") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  host.limits.file_size = 64 << 10;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  auto const file = "/tmp/bulkhead-file-size-" + std::to_string(::getpid());
  CHECK(told(run, "write", {file, 32 << 10}) == json{{"value", nullptr}});
  CHECK(told(run, "write", {file, 128 << 10}) == json{{"code", "EFBIG"}});
  std::error_code absent;
  disk::remove(file, absent);
}

TEST_CASE("a host has as many open files as it may and no more") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  host.limits.open_files = 64;
  harness run{only(std::move(host))};
  REQUIRE(run.start());
  CHECK(told(run, "open", {200}) == json{{"code", "EMFILE"}});
}

TEST_CASE("a crash in the sandbox is told as what it is") {
  harness run{only(contained(sandbox_tier::strong))};
  REQUIRE(run.start());
  provoke(run, "crash");
  auto const end = end_of(run);
  REQUIRE(end);
  CHECK(end->why == reason::signal);
  CHECK(end->detail.find("SIGABRT") != std::string::npos);
}

TEST_CASE("what a host uses is told each second and at its end, and in sum") {
  harness run{only(contained(sandbox_tier::strong))};
  auto const log = std::make_shared<usage_log>();
  run->on_usage([log](usage_report const& report) { log->keep(report); });
  REQUIRE(run.start());
  CHECK(log->wait_for([](usage_report const& each) {
    return each.host == "contained" && each.usage.memory > (4 << 20) && each.usage.processes > 5 &&
           each.usage.cpu_time > 10ms && each.usage.descriptors > 5 && each.usage.bytes_in > 100 &&
           each.usage.bytes_out > 100;
  }));
  CHECK(log->wait_for(
      [](usage_report const& each) { return each.host.empty() && each.usage.memory > (4 << 20); }));
  CHECK(run.host().status().usage.memory > (4 << 20));
  CHECK(run->usage().memory > (4 << 20));
  CHECK(test_hosts::stop(run.host()));
  CHECK(log->wait_for(
      [](usage_report const& each) { return each.at_exit && each.usage.cpu_time > 10ms; }));
}

TEST_CASE("a look at a host that has not run reads its processor time and nothing else") {
  if (reads_so_far() == 0) {
    WARN("this kernel does not count reads, so they are not tested here");
    return;
  }
  std::promise<void> idle;
  auto before = reads_so_far();
  auto const of_counting = reads_so_far() - before;
  auto told = false;
  auto host = contained(sandbox_tier::strong);
  host.health.ping_interval = 1h;
  harness run{only(std::move(host))};
  run->on_usage([&](usage_report const& report) {
    if (!report.host.empty())
      return;
    auto const now = reads_so_far();
    // Else there are the four of its memory and processes too.
    if (now - std::exchange(before, now) <= of_counting + 2 && !std::exchange(told, true))
      idle.set_value();
  });
  REQUIRE(run.start());
  CHECK(idle.get_future().wait_for(30s) == std::future_status::ready);
}

TEST_CASE("an interpreter or an extension that is not the pinned one does not start") {
  auto host = contained(GENERATE(sandbox_tier::none, sandbox_tier::strong));
  SECTION("interpreter") {
    host.integrity.interpreter_sha256 = {std::string(64, '0')};
  }
  SECTION("extension") {
    host.integrity.extension_sha256 = std::string(64, '0');
  }
  harness run{only(std::move(host))};
  auto const started = test_hosts::start(run.host());
  REQUIRE(!started);
  CHECK(started.error().host_reason() == reason::integrity_failure);
  CHECK(run.host().status().state == host_state::Crashed);
  CHECK(run.host().status().detail.find("integrity_mismatch") != std::string::npos);
}

TEST_CASE("an extension that others could have changed does not start contained") {
  temporary_directory place;
  auto const copy = place.path() / "extension";
  disk::copy(test_hosts::folder / "extensions/contained", copy);
  disk::permissions(copy / "main.js", disk::perms::others_write, disk::perm_options::add);
  auto host = contained(sandbox_tier::strong);
  host.extension = copy;
  harness run{only(std::move(host))};
  auto const started = test_hosts::start(run.host());
  REQUIRE(!started);
  CHECK(started.error().host_reason() == reason::integrity_failure);
  auto const detail = run.host().status().detail;
  CHECK(detail.find("main.js") != std::string::npos);
  CHECK(detail.find("chmod") != std::string::npos);
}

TEST_CASE("a host that makes a forbidden system call is ended, and it is told which") {
  auto host = command_host("contained", {"/usr/sbin/pivot_root", "/", "/"});
  host.sandbox.require = GENERATE(sandbox_tier::strong, sandbox_tier::basic);
  host.restart.max_restarts = 0;
  harness run{only(std::move(host))};
  CHECK(!test_hosts::start(run.host()));
  auto const end = end_of(run);
  REQUIRE(end);
  CHECK(end->why == reason::signal);
  CHECK(end->detail.find("it made the system call pivot_root (" + std::to_string(SYS_pivot_root) +
                         "), which the filter forbids") != std::string::npos);
}

TEST_CASE("a filter that is none fails the start and says so") {
  temporary_directory place;
  auto host = contained(sandbox_tier::strong);
  host.sandbox.seccomp = place.write("filter", "this is no filter");
  harness run{only(std::move(host))};
  auto const started = test_hosts::start(run.host());
  REQUIRE(!started);
  CHECK(started.error().host_reason() == reason::sandbox_failure);
  CHECK(run.host().status().detail.find("filter") != std::string::npos);
}

TEST_CASE("a backend that is killed leaves no host behind, not even one that never looks up") {
  temporary_directory place;
  auto const rules = place.write(
      "policy.toml", "[hosts.spinning]\nextension = \"" +
                         (test_hosts::folder / "extensions/spinning").string() + "\"\n");
  platform::process_spec spec;
  spec.program = BULKHEAD_TEST_COMMAND;
  spec.arguments = {"run", "--json", rules.string()};
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  auto backend = platform::spawn(spec).value();
  boost::asio::io_context loop;
  pid_t host = 0;
  platform::output_reader const output{loop.get_executor(), backend.take_output(),
                                       [&](std::string_view line) {
                                         auto const event = boost::json::parse(line).as_object();
                                         if (event.at("event") != "activated")
                                           return;
                                         host = static_cast<pid_t>(event.at("pid").as_int64());
                                         loop.stop();
                                       }};
  loop.run_for(20s);
  REQUIRE(host != 0);
  platform::unique_fd const descriptor{static_cast<int>(::syscall(SYS_pidfd_open, host, 0))};
  REQUIRE(descriptor);
  pollfd ended{descriptor.get(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 0) == 0);
  backend.signal(SIGKILL);
  CHECK(::poll(&ended, 1, 10'000) == 1);
}
