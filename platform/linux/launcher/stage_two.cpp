#include <bulkhead/platform/linux/launcher/descriptors.hpp>
#include <bulkhead/platform/linux/launcher/filters.hpp>
#include <bulkhead/platform/linux/launcher/forbidden_calls.hpp>
#include <bulkhead/platform/linux/launcher/landlock.hpp>
#include <bulkhead/platform/linux/launcher/offspring.hpp>
#include <bulkhead/platform/linux/launcher/report.hpp>
#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

int open_process(pid_t process) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
}

bool has_no_capabilities() noexcept {
  // linux/capability.h, version 3: two words of 32 bits for each set.
  struct {
    std::uint32_t version = 0x20080522;
    int process = 0;
  } header;
  struct {
    std::uint32_t effective, permitted, inheritable;
  } sets[2]{};
  return ::syscall(SYS_capget, &header, sets) == 0 && sets[0].effective == 0 &&
         sets[0].permitted == 0 && sets[1].effective == 0 && sets[1].permitted == 0;
}

/// What neither this process nor any that comes from it may have again.
void give_up_privileges() noexcept {
  perform(step::no_new_privileges, [] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); });
  // Closes /proc/1 and ptrace of this process to the program.
  perform(step::not_dumpable, [] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); });
  ascertain(step::capabilities, has_no_capabilities, EPERM);
}

/// Ends the process and, as process 1, all of its namespace with it.
[[noreturn]] void leave(int code) noexcept {
  if (!has(own_root))
    end_offspring();
  ::_exit(code);
}

/// The program, while it runs.
struct watched_program {
  pid_t process;
  int ends;     ///< a signalfd
  int listener; ///< of its filter; -1: none, or what it has to say was heard
  bool made_forbidden_call = false;
};

[[noreturn]] void report_end(watched_program const& program, int status,
                             rusage const& used) noexcept {
  // Its kill is this process's doing, as the filter's would be the kernel's.
  if (program.made_forbidden_call)
    status = SIGSYS;
  constexpr auto microseconds = [](timeval time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(time.tv_usec);
  };
  status_record end{};
  end.kind = status_kind::ended;
  end.value = WIFEXITED(status) ? CLD_EXITED : WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
  end.number = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  end.user_us = microseconds(used.ru_utime);
  end.system_us = microseconds(used.ru_stime);
  end.peak_kib = static_cast<std::uint64_t>(used.ru_maxrss);
  tell(end);
  // As a shell says it; bubblewrap passes it on.
  leave(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/// Reaps whatever has ended: the program, or one that it left behind.
void reap(watched_program const& program) noexcept {
  for (;;) {
    int status = 0;
    rusage used{};
    auto const ended = ::wait4(-1, &status, WNOHANG, &used);
    if (ended == program.process)
      report_end(program, status, used);
    if (ended <= 0)
      return;
  }
}

/// What there is to wait for, the library first, which has nothing to say but that it is gone.
constexpr pollfd the_library{status_socket, POLLRDHUP, 0};

/// Waits until one of them has something to say. Ends all where the library is gone.
template <nfds_t count>
void wait_for(pollfd (&watched)[count]) noexcept {
  while (::ppoll(watched, count, nullptr, nullptr) < 0 && errno == EINTR) {
  }
  if (watched[0].revents != 0)
    leave(exit_failed);
}

/// The process that becomes the program may go on.
void give_word(int rope) noexcept {
  char const word = 'g';
  ::send(rope, &word, sizeof word, MSG_NOSIGNAL);
}

/// Gives the word to the process that becomes the program, and learns how that went: its end of
/// the rope closes when it executes. Gives the listener of its filter, -1 where it has none.
int see_it_run(int rope, int program) noexcept {
  auto listener = -1;
  for (;;) {
    give_word(rope);
    pollfd watched[] = {the_library, {rope, POLLIN, 0}};
    wait_for(watched);
    status_record said{};
    auto received = -1;
    if (!hear(rope, said, received))
      break;
    if (said.kind != status_kind::filtered) {
      tell(said);
      leave(exit_failed);
    }
    ascertain(
        step::filter_watch, [received] { return received >= 0; }, EMFILE);
    listener = received;
  }
  ::close(rope);
  status_record running{};
  running.kind = status_kind::running;
  tell(running, program);
  ::close(program);
  return listener;
}

/// A signalfd for the ends of children; negative with errno.
int watch_children() noexcept {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &ends, nullptr) != 0)
    return -1;
  return ::signalfd(-1, &ends, SFD_CLOEXEC);
}

/// Ends the program for a call that its filter forbids, by whichever process of it. The call is
/// not answered: whoever made it waits for its end.
void end_for_forbidden_call(watched_program& program) noexcept {
  status_record forbidden{};
  forbidden.kind = status_kind::forbidden;
  // Not so where who called was interrupted meanwhile, or has ended: it called all the same.
  if (receive_forbidden_call(program.listener, forbidden.number) == 0)
    tell(forbidden);
  program.made_forbidden_call = true;
  // Left open: the kernel answers for a listener that is gone.
  program.listener = -1;
  // Without a namespace what it leaves behind is ended when it was reaped.
  ::kill(has(own_root) ? everybody : program.process, SIGKILL);
}

[[noreturn]] void keep(watched_program program) noexcept {
  for (;;) {
    // A negative descriptor is not looked at.
    pollfd watched[] = {the_library, {program.ends, POLLIN, 0}, {program.listener, POLLIN, 0}};
    wait_for(watched);
    // First: the end of a program does not hide what it did.
    if ((watched[2].revents & POLLIN) != 0)
      end_for_forbidden_call(program);
    else if (watched[2].revents != 0)
      program.listener = -1; // nobody is left to whom the filter applies
    if (watched[1].revents != 0) {
      signalfd_siginfo ended;
      while (::read(program.ends, &ended, sizeof ended) < 0 && errno == EINTR) {
      }
      reap(program);
    }
  }
}

void introduce() noexcept {
  auto const self = perform(step::own_descriptor, [] { return open_process(::getpid()); });
  status_record inside{};
  inside.kind = status_kind::contained;
  inside.value = landlock_version();
  tell(inside, self);
  ::close(self);
}

bool close_others(int one, int two, int three) noexcept {
  int kept[] = {status_socket, one, two, three};
  // Insertion sort: close_all_but() wants them in order.
  for (int i = 1; i < 4; ++i)
    for (int j = i; j > 0 && kept[j - 1] > kept[j]; --j) {
      auto const higher = kept[j - 1];
      kept[j - 1] = kept[j];
      kept[j] = higher;
    }
  return close_all_but(kept, 4);
}

} // namespace

void run_stage_two() noexcept {
  // Without a root of its own it is the same process that was stage 1.
  load_plan(step::plan_inside);
  if (has(own_root)) {
    ascertain(
        step::first_process, [] { return ::getpid() == 1; }, EPROTO);
    // The parent is bubblewrap outside. Without it the library would wait for nobody.
    perform(step::death_signal, [] { return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); });
  }
  give_up_privileges();
  if (!has(own_root))
    perform(step::subreaper, [] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); });
  introduce();
  // The library may have ended while bubblewrap worked.
  ascertain(
      step::orphan_inside, [] { return !is_orphaned(); }, ESRCH);

  auto const ends = perform(step::child_signals, watch_children);
  int rope[2];
  perform(
      step::fork, [&] { return make_rope(rope); }, 1);
  auto const program = perform(step::fork, [] { return ::fork(); });
  if (program == 0) {
    ::close(rope[0]);
    become_program(rope[1]);
  }
  auto const descriptor = perform(step::program_descriptor, [&] { return open_process(program); });
  perform(
      step::descriptors_inside, [&] { return close_others(ends, rope[0], descriptor) ? 0 : -1; },
      2);
  if (has(own_root))
    perform(step::keeper_filter, keep_to_waiting);
  auto const listener = see_it_run(rope[0], descriptor);
  keep({program, ends, listener});
}

} // namespace bulkhead::launcher
