#include <bulkhead/platform/process_birth.hpp>

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/pidfd.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

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
constexpr int every_other = std::numeric_limits<int>::max();

/// What the child reads, and where it writes what went wrong. A span's functions would be calls of
/// functions with instrumentation.
struct birth_order {
  birth_plan const* plan;
  placed_descriptor const* descriptors;
  std::size_t count;
  int last_descriptor; // that this process may have
  birth_step failed_at;
  int failed;
};

BULKHEAD_IN_CHILD int give_up(birth_order* order, birth_step where, int failed) noexcept {
  order->failed_at = where;
  order->failed = failed;
  ::syscall(SYS_exit, 127);
  return 127;
}

BULKHEAD_IN_CHILD bool is_to_fail(birth_order const* order, birth_step where) noexcept {
  return order->plan->fail_at == where;
}

/// Before Linux 5.9 one by one.
BULKHEAD_IN_CHILD int close_between(birth_order const* order, int first, int last) noexcept {
  if (first > last || ::syscall(SYS_close_range, first, last, 0) == 0)
    return 0;
  if (errno != ENOSYS)
    return -1;
  for (auto each = first; each <= last && each <= order->last_descriptor; ++each)
    ::syscall(SYS_close, each);
  return 0;
}

/// Async-signal-safe. Every number is below every `ours`, so that no step overwrites what a later
/// one needs.
BULKHEAD_IN_CHILD int place(birth_order const* order) noexcept {
  auto next = 0;
  for (std::size_t i = 0; i < order->count; ++i) {
    auto const* const each = order->descriptors + i;
    if (close_between(order, next, each->number - 1) != 0 ||
        ::syscall(SYS_dup3, each->ours, each->number, 0) < 0)
      return -1;
    next = each->number + 1;
  }
  return close_between(order, next, every_other);
}

/// The child, until it is another program.
BULKHEAD_IN_CHILD int live(void* argument) noexcept {
  auto* const order = static_cast<birth_order*>(argument);
  auto const* const plan = order->plan;
  kernel_sigaction fresh;
  for (auto signal = 1; signal <= last_signal; ++signal)
    ::syscall(SYS_rt_sigaction, signal, &fresh, nullptr, kernel_set_size);
  // Here, so that from the first moment a signal to its group hits nobody else.
  if (is_to_fail(order, birth_step::session))
    return give_up(order, birth_step::session, EPROTO);
  if (::syscall(SYS_setsid) < 0)
    return give_up(order, birth_step::session, errno);
  if (is_to_fail(order, birth_step::descriptors))
    return give_up(order, birth_step::descriptors, EPROTO);
  if (place(order) != 0)
    return give_up(order, birth_step::descriptors, errno);
  if (plan->directory != nullptr && ::syscall(SYS_chdir, plan->directory) != 0)
    return give_up(order, birth_step::program, errno);
  unsigned long none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_set_size);
  if (is_to_fail(order, birth_step::program))
    return give_up(order, birth_step::program, EPROTO);
  if (plan->executable >= 0)
    ::syscall(SYS_execveat, plan->executable, "", plan->arguments, plan->environment,
              AT_EMPTY_PATH);
  else
    ::syscall(SYS_execve, plan->path, plan->arguments, plan->environment);
  return give_up(order, birth_step::program, errno);
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

/// The highest that a process may have, where its limit is an ordinary one.
int last_descriptor() noexcept {
  rlimit held{};
  ::getrlimit(RLIMIT_NOFILE, &held);
  return static_cast<int>(std::min<rlim_t>(held.rlim_cur, 1 << 20));
}

} // namespace

bool has_birth_in_group() noexcept {
  static bool const known = knows_clone3();
  return known;
}

birth_outcome give_birth(birth_plan const& plan) {
  child_stack const stack;
  if (!stack)
    return {{}, birth_step::preparation, errno};
  if (plan.fail_at == birth_step::preparation)
    return {{}, birth_step::preparation, EPROTO};
  birth_order order{
      &plan, plan.descriptors.data(), plan.descriptors.size(), last_descriptor(), birth_step::none,
      0};
  auto pidfd = -1;
  long created = 0;
  {
    undisturbed const until_exec;
    if (is_refused(fault_point::spawn)) {
      created = -errno;
    } else if (plan.group >= 0) {
      created = clone_into(plan.group, stack, order, pidfd);
    } else {
      created =
          ::clone(live, stack.top(), static_cast<int>(shared_until_exec | CLONE_PIDFD) | SIGCHLD,
                  &order, &pidfd);
      if (created < 0)
        created = -errno;
    }
  }
  if (created < 0)
    return {{}, birth_step::creation, static_cast<int>(-created)};
  newborn child{static_cast<pid_t>(created), above_standard_streams(unique_fd{pidfd})};
  if (!child.descriptor) { // one of the standard streams' numbers, and no other is free
    auto const failed = errno;
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return {{}, birth_step::creation, failed};
  }
  if (order.failed_at != birth_step::none) {
    siginfo_t seen;
    wait_by_descriptor(child.descriptor.get(), WEXITED, seen);
    return {{}, order.failed_at, order.failed};
  }
  return {std::move(child), birth_step::none, 0};
}

} // namespace bulkhead::platform
