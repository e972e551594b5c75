#include <bulkhead/platform/linux/probe_attempt.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// Each attempt takes a millisecond, to join control groups of version 1 some tens.
constexpr std::chrono::milliseconds patience{2000};

bool becomes_readable(int pipe) noexcept {
  pollfd waiting{pipe, POLLIN, 0};
  auto seen = 0;
  while ((seen = ::poll(&waiting, 1, static_cast<int>(patience.count()))) < 0 && errno == EINTR) {
  }
  return seen == 1;
}

int wait_for(pid_t child) noexcept {
  auto status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

} // namespace

attempt_outcome failed_now(int stage) noexcept {
  return {.stage = stage, .number = errno};
}

attempt_outcome attempt(attempted_work work, void const* given) noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return failed_now(attempt_outcome::not_begun);
  unique_fd const ours{ends[0]};
  unique_fd theirs{ends[1]};
  auto const child = ::fork();
  if (child < 0)
    return failed_now(attempt_outcome::not_begun);
  if (child == 0) {
    auto const outcome = work(given);
    auto const written = ::write(theirs.get(), &outcome, sizeof outcome);
    ::_exit(written == sizeof outcome ? 0 : 1);
  }
  theirs.reset();
  attempt_outcome outcome;
  if (!becomes_readable(ours.get())) {
    ::kill(child, SIGKILL);
    outcome.stage = attempt_outcome::took_too_long;
  } else if (::read(ours.get(), &outcome, sizeof outcome) != sizeof outcome)
    outcome.stage = attempt_outcome::ended_early;
  auto const status = wait_for(child);
  if (outcome.stage == attempt_outcome::ended_early)
    outcome.number = status;
  return outcome;
}

std::string reason_of(attempt_outcome const& outcome) {
  switch (outcome.stage) {
  case attempt_outcome::ended_early:
    return "the process that tried it was ended";
  case attempt_outcome::took_too_long:
    return "it took longer than " + std::to_string(patience.count()) + " ms";
  case attempt_outcome::not_begun:
    return "no process to try it in: " + errno_text(outcome.number);
  default:
    return errno_text(outcome.number);
  }
}

// Raw calls: the C library's functions would change all threads, and a forked process has only one
// of those that the library knows.
attempt_outcome become(uid_t user, uid_t saved) noexcept {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
      ::syscall(SYS_setresgid, user, user, user) != 0 ||
      ::syscall(SYS_setresuid, user, user, saved) != 0)
    return failed_now(1);
  return {};
}

} // namespace bulkhead::platform
