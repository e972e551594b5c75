#include <bulkhead/platform/linux/launcher_birth.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/linux/launch_plan.hpp>
#include <bulkhead/platform/pidfd.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child runs in this program's memory, as after vfork(), on a stack of its own, while the
// calling thread waits for its exec. So it must not touch anything but what it is given: system
// calls only, no allocation, and no instrumentation, which would leave marks in shared memory.
#define BULKHEAD_IN_CHILD __attribute__((no_sanitize("address", "undefined"), noinline))

namespace bulkhead::platform {
namespace {

/// A few nested system calls. posix_spawn of glibc takes 32 KiB and the size of the arguments.
constexpr std::size_t stack_size = 64 * 1024;

/// The kernel's own struct sigaction and its size of a signal set, with everything at its default.
constexpr std::size_t kernel_set_size = 8;
struct kernel_sigaction {
  void* handler = nullptr;
  unsigned long flags = 0;
  void* restorer = nullptr;
  unsigned long mask = 0;
};
constexpr int last_signal = 64;

/// What the child reads, and where it writes what went wrong.
struct birth_order {
  char const* part;
  placed_descriptor const* descriptors;
  std::size_t count;
  step fail_at;
  step failed_at;
  int failed;
};

BULKHEAD_IN_CHILD int give_up(birth_order* order, step where, int failed) noexcept {
  order->failed_at = where;
  order->failed = failed;
  ::syscall(SYS_exit, 127);
  return 127;
}

BULKHEAD_IN_CHILD int close_between(int first, int last) noexcept {
  if (first > last)
    return 0;
  return static_cast<int>(::syscall(SYS_close_range, first, last, 0));
}

/// Async-signal-safe. Every number is below every `ours`, so that no step overwrites what a later
/// one needs.
BULKHEAD_IN_CHILD int place(birth_order* order) noexcept {
  auto next = 0;
  for (std::size_t i = 0; i < order->count; ++i) {
    auto const* const each = order->descriptors + i;
    if (close_between(next, each->number - 1) != 0 ||
        ::syscall(SYS_dup3, each->ours, each->number, 0) < 0)
      return -1;
    next = each->number + 1;
  }
  return static_cast<int>(::syscall(SYS_close_range, next, ~0u, 0));
}

/// The child, until it is another program.
BULKHEAD_IN_CHILD int live(void* argument) noexcept {
  auto* const order = static_cast<birth_order*>(argument);
  kernel_sigaction fresh;
  for (auto signal = 1; signal <= last_signal; ++signal)
    ::syscall(SYS_rt_sigaction, signal, &fresh, nullptr, kernel_set_size);
  // Here, so that from the first moment a signal to its group hits nobody else.
  if (order->fail_at == step::session)
    return give_up(order, step::session, EPROTO);
  if (::syscall(SYS_setsid) < 0)
    return give_up(order, step::session, errno);
  if (order->fail_at == step::descriptors_outside)
    return give_up(order, step::descriptors_outside, EPROTO);
  if (place(order) != 0)
    return give_up(order, step::descriptors_outside, errno);
  unsigned long none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_set_size);
  if (order->fail_at == step::launcher)
    return give_up(order, step::launcher, EPROTO);
  char const* const arguments[] = {"bulkhead-launcher", order->part, nullptr};
  char const* const no_environment[] = {nullptr};
  ::syscall(SYS_execveat, launch::launcher_file, "", arguments, no_environment, AT_EMPTY_PATH);
  return give_up(order, step::launcher, errno);
}

/// Memory for the child's stack.
class child_stack {
public:
  child_stack() noexcept
      : bottom_{::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)} {}
  child_stack(child_stack&&) = delete;
  ~child_stack() {
    if (*this)
      ::munmap(bottom_, stack_size);
  }
  explicit operator bool() const noexcept { return bottom_ != MAP_FAILED; }
  void* bottom() const noexcept { return bottom_; }
  void* top() const noexcept { return static_cast<char*>(bottom_) + stack_size; }

private:
  void* bottom_;
};

/// Nothing of the embedding program must run in the child: no signal handler, and no cancellation
/// of the thread in between.
class undisturbed {
public:
  undisturbed() noexcept {
    sigset_t all;
    std::memset(&all, 0xFF, sizeof all); // with glibc's own two, which sigfillset() leaves out
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, kernel_set_size);
    ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation_);
  }
  undisturbed(undisturbed&&) = delete;
  ~undisturbed() {
    ::pthread_setcancelstate(cancellation_, nullptr);
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kernel_set_size);
  }

private:
  sigset_t before_{};
  int cancellation_ = 0;
};

constexpr unsigned shared_until_exec = CLONE_VM | CLONE_VFORK;

#if defined(__x86_64__)

/// linux/sched.h, whose header clashes with glibc's <sched.h>; clone3(2), as of Linux 5.7.
struct clone_arguments {
  std::uint64_t flags = 0;
  std::uint64_t pidfd = 0;
  std::uint64_t child_tid = 0;
  std::uint64_t parent_tid = 0;
  std::uint64_t exit_signal = 0;
  std::uint64_t stack = 0;
  std::uint64_t stack_size = 0;
  std::uint64_t tls = 0;
  std::uint64_t set_tid = 0;
  std::uint64_t set_tid_size = 0;
  std::uint64_t cgroup = 0;
};
constexpr std::uint64_t into_cgroup = 0x200000000;

/// clone3() with a function for the child: glibc 2.36 has one for its own use only. The child can't
/// return to where the parent does, as its stack is another one.
BULKHEAD_IN_CHILD long clone3_calling(clone_arguments* arguments, int (*child)(void*) noexcept,
                                      void* argument) noexcept {
  long outcome = SYS_clone3;
  register auto function asm("r8") = child;
  register auto parameter asm("r9") = argument;
  asm volatile("syscall\n\t"
               "testq %%rax, %%rax\n\t"
               "jnz 1f\n\t"
               "xorl %%ebp, %%ebp\n\t" // the end of the chain of frames
               "movq %%r9, %%rdi\n\t"
               "callq *%%r8\n\t"
               "hlt\n" // the function does not come back
               "1:"
               : "+a"(outcome)
               : "D"(arguments), "S"(sizeof *arguments), "r"(function), "r"(parameter)
               : "rcx", "r11", "memory", "cc");
  return outcome;
}

/// The new process's number, or a negative error number.
long clone_into(int group, child_stack const& stack, birth_order& order, int& pidfd) noexcept {
  clone_arguments arguments;
  arguments.flags = shared_until_exec | CLONE_PIDFD | into_cgroup;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack.bottom());
  arguments.stack_size = stack_size;
  arguments.cgroup = static_cast<std::uint64_t>(group);
  return clone3_calling(&arguments, live, &order);
}

bool knows_clone3() noexcept {
  // EINVAL for a size of 0, ENOSYS where there is none or a container's filter says so.
  return ::syscall(SYS_clone3, nullptr, 0) == -1 && errno != ENOSYS;
}

#else

long clone_into(int, child_stack const&, birth_order&, int&) noexcept {
  return -ENOSYS;
}

bool knows_clone3() noexcept {
  return false;
}

#endif

error failed_at(step where, int failed) {
  return to_error({.where = where, .number = failed, .which = 0, .said = {}});
}

/// The kernel has no room for a process: nothing of the sandbox's.
error not_created(int failed) {
  auto const as_step = failed_at(step::birth, failed);
  return error{errc::spawn_failed, as_step.detail(), as_step.remedy()};
}

} // namespace

bool has_birth_in_group() noexcept {
  static bool const known = knows_clone3();
  return known;
}

result<newborn> create_launcher(launcher_part part, std::span<placed_descriptor const> descriptors,
                                int group, step fail_at) {
  child_stack const stack;
  if (!stack)
    return failed_at(step::birth, errno);
  if (fail_at == step::birth)
    return failed_at(step::birth, EPROTO);
  birth_order order{part == launcher_part::guard ? "guard" : "stage1",
                    descriptors.data(),
                    descriptors.size(),
                    fail_at,
                    step::none,
                    0};
  auto pidfd = -1;
  long created = 0;
  {
    undisturbed const until_exec;
    if (is_refused(fault_point::spawn)) {
      created = -errno;
    } else if (group >= 0) {
      created = clone_into(group, stack, order, pidfd);
    } else {
      created =
          ::clone(live, stack.top(), static_cast<int>(shared_until_exec | CLONE_PIDFD) | SIGCHLD,
                  &order, &pidfd);
      if (created < 0)
        created = -errno;
    }
  }
  if (created < 0)
    return not_created(static_cast<int>(-created));
  newborn child{static_cast<pid_t>(created), above_standard_streams(unique_fd{pidfd})};
  if (order.failed_at != step::none) {
    siginfo_t seen;
    wait_by_descriptor(child.descriptor.get(), WEXITED, seen);
    return failed_at(order.failed_at, order.failed);
  }
  return child;
}

} // namespace bulkhead::platform
