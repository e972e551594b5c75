#include "sandbox_launches.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/host_guard.hpp>
#include <bulkhead/platform/process.hpp>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace sandbox_test;
using bulkhead::platform::host_guard;
using bulkhead::platform::unique_fd;

namespace {

/// The version 2 hierarchy of this machine that this process may make groups in.
std::optional<fs::path> own_group() {
  for (auto const* const root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    auto const group = fs::path{root} / ("bulkhead-guard-test-" + std::to_string(::getpid()));
    if (fs::exists(fs::path{root} / "cgroup.procs") && ::mkdir(group.c_str(), 0755) == 0)
      return group;
  }
  return std::nullopt;
}

/// A backend that starts a host and hangs on to it, and is killed a while `after` it began.
void kill_a_backend(sandbox_tier tier, tether const& processes, std::chrono::microseconds after) {
  auto const backend = ::fork();
  if (backend == 0) {
    auto guard = host_guard::start();
    auto spec = shell(tier, "((while :; do :; done) &); while :; do :; done");
    processes.tie(spec);
    if (guard)
      spec.guard = &*guard;
    watched_launch launch{spec};
    launch.run_until([] { return false; });
    ::_exit(1);
  }
  timespec const pause{0, std::chrono::nanoseconds{after}.count()};
  ::nanosleep(&pause, nullptr);
  ::kill(backend, SIGKILL);
  ::waitpid(backend, nullptr, 0);
}

} // namespace

TEST_CASE("a backend that is killed at any moment leaves no process", "[sandbox]") {
  for (auto const tier : {sandbox_tier::strong, sandbox_tier::basic})
    for (auto round = 0; round < 20; ++round) {
      INFO(bulkhead::to_string(tier) << " after " << round * 1000 << " us");
      tether processes;
      kill_a_backend(tier, processes, round * std::chrono::microseconds{1000});
      REQUIRE(processes.is_free_soon());
    }
}

TEST_CASE("the guard ends a process that does not see the end of its backend", "[sandbox]") {
  auto started = bulkhead::platform::spawn({.program = "/bin/sleep",
                                            .arguments = {"100"},
                                            .environment = {},
                                            .working_directory = {},
                                            .inherited = {}});
  REQUIRE(started.has_value());
  unique_fd const process{static_cast<int>(::syscall(SYS_pidfd_open, started->pid(), 0))};
  {
    auto guard = host_guard::start();
    REQUIRE(guard.has_value());
    REQUIRE(guard->watch(started->pid(), process.get()).has_value());
    pollfd running{process.get(), POLLIN, 0};
    CHECK(::poll(&running, 1, 0) == 0);
  }
  pollfd ended{process.get(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 0) == 1);
}

TEST_CASE("the guard is gone with its object, and outlives what it watched", "[sandbox]") {
  pid_t number = 0;
  {
    auto guard = host_guard::start();
    REQUIRE(guard.has_value());
    number = guard->pid();
    for (auto i = 0; i < 50; ++i) {
      auto const child = ::fork();
      if (child == 0)
        ::_exit(0);
      unique_fd const process{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
      REQUIRE(guard->watch(child, process.get()).has_value());
      ::waitpid(child, nullptr, 0);
    }
    CHECK(::kill(number, SIGTERM) == 0);
    CHECK(::kill(number, SIGHUP) == 0);
    CHECK(::kill(number, 0) == 0);
  }
  CHECK(::kill(number, 0) == -1);
}

TEST_CASE("the guard empties and removes the control groups of its runtime", "[sandbox]") {
  auto const group = own_group();
  if (!group) {
    WARN("no control group can be made here");
    return;
  }
  auto const host = *group / "host";
  fs::create_directory(host);
  unique_fd const folder{::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  auto guard = std::make_unique<host_guard>(host_guard::start().value());
  REQUIRE(guard->watch_group(*group).has_value());

  auto spec = shell(sandbox_tier::strong, "echo up; while :; do :; done");
  spec.group = folder.get();
  watched_launch launch{spec};
  REQUIRE(launch.wait_for_line());
  std::ifstream file{host / "cgroup.procs"};
  std::string first;
  CHECK(std::getline(file, first)); // born there

  guard.reset();
  REQUIRE(launch.finish());
  CHECK_FALSE(fs::exists(*group));
}
