#include "shared/forked.hpp"
#include "shared/text.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/platform/linux/cgroup_tree.hpp>
#include <bulkhead/platform/linux/host_probe.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using bulkhead::errc;
using bulkhead::resource_usage;
using bulkhead::platform::cgroup;
using bulkhead::platform::cgroup_hierarchy;
using bulkhead::platform::cgroup_limits;
using bulkhead::platform::cgroup_tree;
using bulkhead::platform::cgroup_usage;
using bulkhead::platform::find_cgroups;
using bulkhead::platform::host_probe;
using bulkhead::platform::measure;
using bulkhead::platform::parse_cgroups;
using bulkhead::platform::unique_fd;
using bulkhead::testing::contains;
using bulkhead::testing::content_of;
using bulkhead::testing::holds_for_ordinary_user;
using bulkhead::testing::temporary_directory;

constexpr auto patience = 10s;

/// The real hierarchies; empty where this process may not use them. Below their roots, so that the
/// limits that this process itself has don't matter.
std::vector<cgroup_hierarchy> usable_cgroups() {
  auto found = find_cgroups();
  if (::geteuid() != 0 || !found || found->empty() ||
      ::access(found->front().root.c_str(), W_OK) != 0) {
    WARN("no control groups for this user on this machine");
    return {};
  }
  for (auto& hierarchy : *found)
    hierarchy.own = hierarchy.root;
  return *found;
}

std::vector<cgroup_hierarchy> version_1_only(std::vector<cgroup_hierarchy> hierarchies) {
  std::erase_if(hierarchies, [](auto const& each) { return each.unified; });
  return hierarchies;
}

std::string run_name(char const* test) {
  return std::string{"test-"} + test + '-' + std::to_string(::getpid());
}

template <class Condition>
bool becomes_true(Condition condition) {
  auto const until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::yield();
  }
  return true;
}

bool becomes_readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) == 1;
}

/// Whether nobody holds the pipe's other end any more.
bool ends(int pipe) {
  std::array<char, 64> read;
  while (becomes_readable(pipe))
    if (::read(pipe, read.data(), read.size()) == 0)
      return true;
  return false;
}

struct pipe_ends {
  pipe_ends() {
    std::array<int, 2> both;
    REQUIRE(::pipe2(both.data(), O_CLOEXEC) == 0);
    out.reset(both[0]);
    in.reset(both[1]);
  }
  unique_fd out;
  unique_fd in;
};

/// Runs `body` in a process inside the group.
template <class Body>
pid_t start_in(cgroup const& group, Body body) {
  auto const child = ::fork();
  if (child == 0) {
    for (auto const fd : group.join_fds(false))
      if (::write(fd, "0", 1) != 1)
        ::_exit(99);
    ::_exit(body());
  }
  return child;
}

/// The exit code, or minus the signal that ended it.
int exit_of(pid_t child) {
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool removed(cgroup& group) {
  return becomes_true([&] { return group.remove(); });
}

bool exist(std::vector<fs::path> const& paths) {
  return std::ranges::all_of(paths, [](auto const& path) { return fs::exists(path); });
}

int use_memory(std::size_t bytes) {
  auto* const pages = static_cast<char*>(
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (std::size_t at = 0; at < bytes; at += 4096)
    *const_cast<char volatile*>(pages + at) = 1;
  return 0;
}

int use_cpu(std::chrono::nanoseconds time) {
  timespec used{};
  while (std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec} < time)
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return 0;
}

/// What a process of a runtime leaves behind: each child waits for a signal that never comes.
int fork_until_refused() {
  for (;;) {
    auto const child = ::fork();
    if (child == 0)
      for (;;)
        ::pause();
    if (child < 0)
      return errno;
  }
}

void write_file(fs::path const& path, std::string_view content) {
  std::ofstream{path} << content;
}

} // namespace

TEST_CASE("a memory limit ends a process and counts it", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto tree = cgroup_tree::create(run_name("memory"), hierarchies);
  REQUIRE(tree.has_value());
  auto group = tree->create_group("balloon", {.memory = 16 << 20});
  REQUIRE(group.has_value());
  REQUIRE(group->limits().size() == 1);
  INFO(group->limits().front().detail);
  REQUIRE(group->limits().front().holds);

  CHECK(exit_of(start_in(*group, [] { return use_memory(4 << 20); })) == 0);
  auto const before = group->usage();
  CHECK(before.oom_kills == 0);
  CHECK(before.memory_peak >= 4 << 20);
  CHECK(exit_of(start_in(*group, [] { return use_memory(64 << 20); })) == -SIGKILL);
  auto const after = group->usage();
  CHECK(after.oom_kills >= 1);
  CHECK(after.memory_peak <= 16 << 20);
  CHECK(removed(*group));
}

TEST_CASE("a host that has not run is as it was, and looked at again once it has", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto tree = cgroup_tree::create(run_name("idle"), hierarchies);
  REQUIRE(tree.has_value());
  auto made = tree->create_group("idle", {.memory = 64 << 20});
  REQUIRE(made.has_value());
  auto const group = std::make_shared<cgroup>(std::move(*made));
  auto const look = [&](resource_usage const& before) {
    auto probe = std::make_shared<host_probe>();
    probe->group = group;
    probe->before = before;
    return measure({probe}).front();
  };
  pipe_ends wake;
  pipe_ends awake;
  auto const child = start_in(*group, [&] {
    wake.in.reset(); // or its end is never seen
    char byte;
    while (::read(wake.out.get(), &byte, 1) == 1) {
      use_memory(8 << 20);
      if (::write(awake.in.get(), &byte, 1) != 1)
        return 1;
    }
    return 0;
  });
  wake.out.reset();
  // What no look could tell: it is what was told before.
  constexpr std::uint64_t told_before = 4711;
  auto seen = look({});
  CHECK(becomes_true([&] {
    auto before = seen;
    before.memory = told_before;
    auto const now = look(before);
    if (now.memory == told_before)
      return true;
    seen = now;
    return false;
  }));
  REQUIRE(::write(wake.in.get(), "1", 1) == 1);
  REQUIRE(becomes_readable(awake.out.get()));
  auto before = seen;
  before.memory = told_before;
  auto const now = look(before);
  CHECK(now.memory != told_before);
  CHECK(now.memory_peak >= 8 << 20);
  CHECK(now.cpu_time > seen.cpu_time);
  wake.in.reset();
  CHECK(exit_of(child) == 0);
  CHECK(removed(*group));
}

TEST_CASE("a limit on processes refuses the next one", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto tree = cgroup_tree::create(run_name("processes"), hierarchies);
  REQUIRE(tree.has_value());
  auto group = tree->create_group("bomb", {.processes = 5});
  REQUIRE(group.has_value());
  CHECK(exit_of(start_in(*group, fork_until_refused)) == EAGAIN);
  CHECK(group->usage().processes == 4);
  CHECK_FALSE(group->is_empty());
  CHECK_FALSE(group->remove());
}

TEST_CASE("a limit on CPU time makes a process wait", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto tree = cgroup_tree::create(run_name("cpu"), hierarchies);
  REQUIRE(tree.has_value());
  auto group = tree->create_group("spinner", {.cpu_percent = 5});
  REQUIRE(group.has_value());
  auto const begin = std::chrono::steady_clock::now();
  auto const child = start_in(*group, [] { return use_cpu(10s); });
  CHECK(becomes_true([&] { return group->usage().cpu_time >= 20ms; }));
  // At 5 ms each 100; without the limit it would take 20.
  CHECK(std::chrono::steady_clock::now() - begin >= 200ms);
  CHECK(group->kill());
  CHECK(exit_of(child) == -SIGKILL);
}

TEST_CASE("a kill ends all that a process started, in version 1 and 2", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto const only_version_1 = GENERATE(false, true);
  auto tree = cgroup_tree::create(run_name("kill"),
                                  only_version_1 ? version_1_only(hierarchies) : hierarchies);
  REQUIRE(tree.has_value());
  CHECK((tree->kill_switch().get() >= 0) == !only_version_1);
  auto group = tree->create_group("daemons", {.processes = 64});
  REQUIRE(group.has_value());
  CHECK((group->directory_fd() >= 0) == !only_version_1);
  pipe_ends pipe;
  auto const child = start_in(*group, [&]() -> int {
    for (auto i = 0; i < 3; ++i)
      if (::fork() == 0) {
        ::setsid();
        if (::fork() == 0 && ::write(pipe.in.get(), "x", 1) == 1)
          fork_until_refused();
        for (;;)
          ::pause();
      }
    for (;;)
      ::pause();
  });
  pipe.in.reset();
  REQUIRE(becomes_readable(pipe.out.get()));
  CHECK(group->kill());
  CHECK(exit_of(child) == -SIGKILL);
  CHECK(ends(pipe.out.get()));
  CHECK(becomes_true([&] { return group->is_empty(); }));
  CHECK(removed(*group));
  CHECK(group->remove());
  CHECK(group->usage().processes == 0);
}

TEST_CASE("the kill switch of a run ends the hosts of that run", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty() || !hierarchies.front().unified)
    return;
  auto tree = cgroup_tree::create(run_name("switch"), hierarchies);
  REQUIRE(tree.has_value());
  auto group = tree->create_group("host", {});
  REQUIRE(group.has_value());
  pipe_ends joined;
  auto const child = start_in(*group, [&] { return ::write(joined.in.get(), "x", 1), ::pause(); });
  joined.in.reset();
  REQUIRE(becomes_readable(joined.out.get()));
  CHECK(::write(tree->kill_switch().get(), "1", 1) == 1);
  CHECK(exit_of(child) == -SIGKILL);
}

TEST_CASE("a run that ends leaves nothing, and a host's name can be anything", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  std::vector<fs::path> directories;
  {
    auto tree = cgroup_tree::create(run_name("end"), hierarchies);
    REQUIRE(tree.has_value());
    directories = tree->directories();
    CHECK(exist(directories));
    auto const name = GENERATE(as<std::string>{}, "", "..", "a/../../b", "--x\n y'\"",
                               "cgroup.procs", std::string(5000, 'x'));
    auto const first = tree->create_group(name, {});
    auto const second = tree->create_group(name, {});
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    CHECK(first->join_fds(false) != second->join_fds(false));
  }
  for (auto const& path : directories)
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("what a killed runtime leaves behind is removed by the next", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  pipe_ends pipe;
  auto const name = run_name("dead");
  auto const runtime = ::fork();
  if (runtime == 0) {
    auto tree = cgroup_tree::create(name, hierarchies);
    auto group = tree->create_group("host", {});
    // A program of its own, which has nothing of the runtime's but the pipe.
    start_in(*group, [&] {
      ::dup2(pipe.in.get(), 9);
      return ::execl("/bin/sh", "sh", "-c", "echo x >&9; exec sleep 30", nullptr);
    });
    // Ends without any destructor, once its host has joined.
    char byte = 0;
    ::_exit(::read(pipe.out.get(), &byte, 1) == 1 ? 0 : 1);
  }
  pipe.in.reset();
  REQUIRE(exit_of(runtime) == 0);
  auto const left = hierarchies.front().root / ("bulkhead-run-" + name);
  REQUIRE(fs::exists(left));

  auto const living = cgroup_tree::create(run_name("living"), hierarchies);
  REQUIRE(living.has_value());
  CHECK_FALSE(fs::exists(left));
  CHECK(ends(pipe.out.get()));
  auto const another = cgroup_tree::create(run_name("another"), hierarchies);
  REQUIRE(another.has_value());
  CHECK(exist(living->directories()));
}

TEST_CASE("two runs can't have one name", "[cgroup]") {
  auto const hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  auto const first = cgroup_tree::create(run_name("twice"), hierarchies);
  REQUIRE(first.has_value());
  auto const second = cgroup_tree::create(run_name("twice"), hierarchies);
  REQUIRE(second.has_error());
  CHECK(second.error().code() == errc::cgroup_unavailable);
  CHECK(exist(first->directories()));
  CHECK(cgroup_tree::create("a/b", hierarchies).has_error());
  CHECK(cgroup_tree::create("", hierarchies).has_error());
}

TEST_CASE("a user who may make no control group is told so, and what to do", "[cgroup]") {
  CHECK(holds_for_ordinary_user([] {
    auto hierarchies = find_cgroups();
    if (!hierarchies)
      return false;
    for (auto& hierarchy : *hierarchies)
      hierarchy.own = hierarchy.root;
    auto const refused = cgroup_tree::create("ordinary", *hierarchies);
    return refused.has_error() && refused.error().code() == errc::cgroup_unavailable &&
           contains(refused.error().remedy(), "Delegate=yes") && !refused.error().detail().empty();
  }));
}

TEST_CASE("without any hierarchy there are no control groups", "[cgroup]") {
  auto const refused = cgroup_tree::create("none", {});
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == errc::cgroup_unavailable);
  CHECK(contains(refused.error().detail(), "none is mounted"));
}

TEST_CASE("where a controller is missing, its limit does not hold and says why", "[cgroup]") {
  auto hierarchies = usable_cgroups();
  if (hierarchies.empty())
    return;
  std::erase_if(hierarchies, [](auto const& each) {
    return std::ranges::count(each.controllers, "memory") > 0;
  });
  if (hierarchies.empty())
    return;
  auto tree = cgroup_tree::create(run_name("missing"), hierarchies);
  REQUIRE(tree.has_value());
  CHECK_FALSE(tree->abilities().front().holds);
  CHECK(contains(tree->abilities().front().detail, "memory"));
  auto const group = tree->create_group("host", {.memory = 1 << 20, .processes = 10});
  REQUIRE(group.has_value());
  REQUIRE(group->limits().size() == 2);
  CHECK_FALSE(group->limits()[0].holds);
  CHECK(group->limits()[1].holds);
}

// Machines on which version 1 holds the controllers can't show version 2's: these two tests are of
// plain files in the layout of version 2, and only of what is written to them and read from them.

TEST_CASE("limits are written as version 2 wants them (files in its layout)", "[cgroup]") {
  temporary_directory const scratch;
  auto const run = scratch.path() / "bulkhead-run-layout";
  auto const host = run / "host-one-1";
  fs::create_directories(host);
  for (auto const& group : {scratch.path(), run, host}) {
    write_file(group / "cgroup.controllers", "cpu io memory pids\n");
    write_file(group / "cgroup.subtree_control", "cpu memory pids\n");
    write_file(group / "cgroup.procs", "");
  }
  for (auto const* const file :
       {"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"})
    write_file(host / file, "");
  auto tree = cgroup_tree::create("layout", {{scratch.path(), scratch.path(), {}, true}});
  REQUIRE(tree.has_value());
  auto const group =
      tree->create_group("one", {.memory = 512 << 20, .processes = 32, .cpu_percent = 50});
  REQUIRE(group.has_value());
  for (auto const& limit : group->limits())
    CHECK(limit.holds);
  CHECK(content_of(host / "memory.max") == "536870912");
  CHECK(content_of(host / "memory.swap.max") == "0");
  CHECK(content_of(host / "memory.oom.group") == "1");
  CHECK(content_of(host / "pids.max") == "32");
  CHECK(content_of(host / "cpu.max") == "50000 100000");

  write_file(host / "memory.current", "1000\n");
  write_file(host / "memory.peak", "2000\n");
  write_file(host / "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n");
  write_file(host / "cpu.stat",
             "usage_usec 300\nuser_usec 200\nnr_throttled 2\nthrottled_usec 40\n");
  write_file(host / "pids.current", "11\n");
  auto const used = group->usage();
  CHECK(used.memory == 1000);
  CHECK(used.memory_peak == 2000);
  CHECK(used.oom_kills == 1);
  CHECK(used.cpu_time == 300us);
  CHECK(used.processes == 11);
  CHECK_FALSE(group->usage_since(300us).has_value());
  CHECK(group->usage_since(299us).has_value());
  write_file(host / "cpu.stat", "usage_usec 0\n");
  CHECK(group->usage_since(0us).has_value());
}

TEST_CASE("version 2 is asked for each controller that is there (files in its layout)",
          "[cgroup]") {
  temporary_directory const scratch;
  write_file(scratch.path() / "cgroup.controllers", "memory\n");
  write_file(scratch.path() / "cgroup.subtree_control", "");
  write_file(scratch.path() / "cgroup.procs", "");
  auto const tree = cgroup_tree::create("ask", {{scratch.path(), scratch.path(), {}, true}});
  REQUIRE(tree.has_value());
  CHECK(content_of(scratch.path() / "cgroup.subtree_control") == "+memory");
  // The kernel would now have put the controller into the run's own directory.
  for (auto const& ability : tree->abilities())
    CHECK_FALSE(ability.holds);
}

TEST_CASE("the hierarchies of systemd's machines are found", "[cgroup]") {
  auto const found = parse_cgroups(
      "25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw\n"
      "34 25 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].unified);
  CHECK(found[0].root == "/sys/fs/cgroup");
  CHECK(found[0].own ==
        "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope");
}

TEST_CASE("version 1 is found beside version 2, each hierarchy once", "[cgroup]") {
  auto const found =
      parse_cgroups("32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                    "33 31 0:29 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n"
                    "35 31 0:32 / /sys/fs/cgroup/with\\040space rw - cgroup cgroup rw,memory\n"
                    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
                    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                    "not a mount\n",
                    "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\nnonsense\n");
  using names = std::vector<std::string>;
  REQUIRE(found.size() == 4);
  CHECK(found[0] == cgroup_hierarchy{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified", {}, true});
  CHECK(found[1].controllers == names{"cpu", "cpuacct"});
  CHECK(found[1].own == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(found[2] ==
        cgroup_hierarchy{
            "/sys/fs/cgroup/with space", "/sys/fs/cgroup/with space/a/b", {"memory"}, false});
  CHECK(found[3].controllers == names{"name=systemd"});
}

TEST_CASE("in a container the own group is the one that is mounted", "[cgroup]") {
  auto const* const mounts = "1 2 0:3 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
  CHECK(parse_cgroups(mounts, "0::/docker/abc\n").at(0).own == "/sys/fs/cgroup");
  CHECK(parse_cgroups(mounts, "0::/docker/abc/x\n").at(0).own == "/sys/fs/cgroup/x");
  CHECK(parse_cgroups(mounts, "0::/elsewhere\n").at(0).own == "/sys/fs/cgroup");
  CHECK(parse_cgroups(mounts, "").empty());
}
