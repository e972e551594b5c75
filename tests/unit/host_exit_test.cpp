#include <bulkhead/actors/host_exit.hpp>
#include <bulkhead/harness/catch2.hpp>

#include <csignal>
#include <string>

using namespace bulkhead;
using platform::exit_kind;
using platform::exit_status;

namespace {

struct ended {
  exit_status status;
  std::uint64_t oom_kills = 0;
  bool said_out_of_memory = false;
  std::uint64_t memory_peak = 0;

  exit_cause cause() const {
    host_limits limits;
    limits.cpu_time = std::chrono::seconds{3};
    return cause_of({status, oom_kills, std::nullopt, said_out_of_memory, memory_peak, limits});
  }
};

bool contains(std::string const& text, std::string_view part) {
  return text.find(part) != text.npos;
}

} // namespace

TEST_CASE("an exit code is no crash, and zero is no failure") {
  auto const failed = ended{{exit_kind::exited, 3}}.cause();
  CHECK(failed.why == reason::exit_code);
  CHECK(failed.code == 3);
  CHECK(failed.detail == "exit code 3");
  CHECK(ended{{exit_kind::exited, 0}}.cause().why == reason::clean_exit);
  CHECK(ended{{exit_kind::unknown, 0}}.cause().why == reason::exit_code);
}

TEST_CASE("a crash, a forbidden system call and the limits' signals are told apart") {
  auto const crash = ended{{exit_kind::signaled, SIGSEGV}}.cause();
  CHECK(crash.why == reason::signal);
  CHECK(crash.detail == "signal SIGSEGV");
  auto const forbidden = ended{{exit_kind::signaled, SIGSYS}}.cause();
  CHECK(forbidden.why == reason::signal);
  CHECK(contains(forbidden.detail, "the filter forbids"));
  auto const named = ended{{exit_kind::signaled, SIGSYS, false, "ptrace (101)"}}.cause();
  CHECK(named.why == reason::signal);
  CHECK(named.code == SIGSYS);
  CHECK(named.detail ==
        "signal SIGSYS: it made the system call ptrace (101), which the filter forbids");
  auto const spent = ended{{exit_kind::signaled, SIGXCPU}}.cause();
  CHECK(spent.why == reason::limit_exceeded);
  CHECK(contains(spent.detail, "limits.cpu_time, 3s"));
  auto const large = ended{{exit_kind::signaled, SIGXFSZ}}.cause();
  CHECK(large.why == reason::limit_exceeded);
  CHECK(contains(large.detail, "limits.file_size, 256MiB"));
}

TEST_CASE("a crash at the limit of memory is told as that, and below it as a crash") {
  auto const at = [](int signal, std::uint64_t peak) {
    return ended{{exit_kind::signaled, signal}, 0, false, peak}.cause();
  };
  auto const limit = host_limits{}.memory;
  CHECK(at(SIGSEGV, limit / 8 * 7).why == reason::out_of_memory);
  CHECK(contains(at(SIGTRAP, limit).detail, "signal SIGTRAP: it ran out of memory"));
  CHECK(at(SIGSEGV, limit / 8 * 7 - 1).why == reason::signal);
  CHECK(at(SIGTERM, limit).why == reason::signal);
}

TEST_CASE("memory that ran out is told whoever noticed it") {
  auto const by_kernel = ended{{exit_kind::signaled, SIGKILL}, 1}.cause();
  CHECK(by_kernel.why == reason::out_of_memory);
  CHECK(contains(by_kernel.detail, "limits.memory, 512MiB"));
  CHECK(ended{{exit_kind::signaled, SIGABRT}, 0, true}.cause().why == reason::out_of_memory);
  CHECK(ended{{exit_kind::signaled, SIGABRT}}.cause().why == reason::signal);
  CHECK(ended{{exit_kind::signaled, SIGKILL}}.cause().why == reason::signal);
  CHECK(ended{{exit_kind::exited, 1}, 0, true}.cause().why == reason::exit_code);
  CHECK(says_out_of_memory(
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"));
  CHECK(says_out_of_memory("  what():  std::bad_alloc"));
  CHECK(!says_out_of_memory("the disk is out of space, memory is fine"));
}

TEST_CASE("a program that never ran is the sandbox's failure") {
  host_limits const limits;
  auto const cause = cause_of({{exit_kind::not_started, 323},
                               0,
                               error{errc::sandbox_step_failed, "landlock_path"},
                               false,
                               0,
                               limits});
  CHECK(cause.why == reason::sandbox_failure);
  CHECK(contains(cause.detail, "landlock_path"));
}

TEST_CASE("a start that failed has the reason of what failed") {
  CHECK(reason_of_failed_start(errc::integrity_mismatch) == reason::integrity_failure);
  CHECK(reason_of_failed_start(errc::integrity_unsafe_owner) == reason::integrity_failure);
  CHECK(reason_of_failed_start(errc::sandbox_unavailable) == reason::sandbox_failure);
  CHECK(reason_of_failed_start(errc::limit_unenforceable) == reason::sandbox_failure);
  CHECK(reason_of_failed_start(errc::interpreter_missing) == reason::launch_failed);
}
