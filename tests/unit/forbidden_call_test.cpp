#include "sandbox_launches.hpp"
#include "shared/forked.hpp"

#include <bulkhead/harness/catch2.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <csignal>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace sandbox_test;
using namespace bulkhead::platform;

namespace {

constexpr sandbox_tier both[] = {sandbox_tier::strong, sandbox_tier::basic};

/// How it ended, the system call that it was ended for, and what it printed.
std::string end_of(sandbox_spec const& spec) {
  watched_launch launch{spec};
  if (!launch.finish())
    return "it did not end";
  auto text = to_string(*launch.status) + ": " + launch.status->forbidden_call;
  for (auto const& line : launch.output)
    text += '\n' + line;
  return text;
}

/// `sh -c SCRIPT`, for which umask is forbidden.
std::string end_of_shell(sandbox_tier tier, std::string script) {
  auto const filter = filter_that_forbids(SYS_umask);
  auto spec = shell(tier, std::move(script));
  spec.filter = filter.get();
  return end_of(spec);
}

auto const for_umask = "signal SIGSYS: " + name_of_call(SYS_umask);

/// As where a container around this program has a listener: there can be no second one.
bool filter_with_listener() {
  sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  sock_fprog const program{1, &allow};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                   &program) >= 0;
}

} // namespace

TEST_CASE("a program that makes a forbidden call is ended, and the call is named", "[sandbox]") {
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    auto const script = "echo up; umask; echo on";
    CHECK(end_of_shell(tier, script) == for_umask + "\nup");
    CHECK(bulkhead::testing::as_ordinary_user([&] { return end_of_shell(tier, script); }) ==
          for_umask + "\nup");
  }
}

TEST_CASE("a native program is ended by the built-in filter, and what it tried is named",
          "[sandbox]") {
  opened_program const program{"/usr/sbin/pivot_root"};
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    auto const filter = make_seccomp_filter(
        {.profile = seccomp_profile::command, .basic_tier = tier == sandbox_tier::basic});
    REQUIRE(filter.has_value());
    auto spec = shell(tier, {});
    spec.program = program.descriptor.get();
    spec.program_path = program.path;
    spec.libraries = program.libraries;
    spec.loader = program.loader;
    spec.arguments = {"/", "/"};
    spec.filter = filter->get();
    CHECK(end_of(spec) == "signal SIGSYS: " + name_of_call(SYS_pivot_root));
  }
}

TEST_CASE("a forbidden call of a process that the program started ends all of them", "[sandbox]") {
  auto const filter = filter_that_forbids(SYS_umask);
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    tether processes;
    auto spec = shell(tier, "(umask &); while :; do :; done");
    spec.filter = filter.get();
    processes.tie(spec);
    CHECK(end_of(spec) == for_umask);
    CHECK(processes.is_free_now());
  }
}

TEST_CASE("a forbidden call of a thread ends the program", "[sandbox]") {
  auto const filter = filter_that_forbids(SYS_fdatasync);
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    // Done by a thread of the pool.
    auto spec = node(tier, "require('fs').fdatasync(1, () => console.log('on'))");
    spec.filter = filter.get();
    CHECK(end_of(spec) == "signal SIGSYS: " + name_of_call(SYS_fdatasync));
  }
}

TEST_CASE("several forbidden calls at once are one end", "[sandbox]") {
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    CHECK(end_of_shell(tier, "umask & umask & umask & umask & wait; echo on") == for_umask);
  }
}

TEST_CASE("where there can be no listener a forbidden call kills, and is not named", "[sandbox]") {
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    CHECK(bulkhead::testing::text_of_child([&]() -> std::string {
            if (!filter_with_listener())
              return "no filter";
            return end_of_shell(tier, "echo up; umask; echo on");
          }) == "signal SIGSYS: \nup");
  }
}

TEST_CASE("a program does not have the listener of its filter", "[sandbox]") {
  auto const filter = filter_that_forbids(SYS_ptrace);
  for (auto const tier : both) {
    INFO(bulkhead::to_string(tier));
    auto spec = node(tier, "let open = [];"
                           "for (const fd of require('fs').readdirSync('/proc/self/fd'))"
                           "  try { if (require('fs').readlinkSync('/proc/self/fd/' + fd)"
                           "    .includes('seccomp')) open.push(fd) } catch {}"
                           "console.log(open.length)");
    spec.filter = filter.get();
    CHECK(end_of(spec) == "exit code 0: \n0");
  }
}

TEST_CASE("a signal that looks like the filter's names no call", "[sandbox]") {
  for (auto const tier : both)
    CHECK(end_of_shell(tier, "kill -SYS $$") == "signal SIGSYS: ");
}
