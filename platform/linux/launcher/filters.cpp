#include <bulkhead/platform/linux/launcher/filters.hpp>

#include <bulkhead/platform/linux/launcher/forbidden_calls.hpp>
#include <bulkhead/platform/linux/launcher/report.hpp>

#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "the launcher's own filters know x86-64 and AArch64"
#endif

constexpr sock_filter statement(std::uint16_t code, std::uint32_t value) noexcept {
  return {code, 0, 0, value};
}
constexpr sock_filter load(std::size_t offset) noexcept {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr sock_filter give(std::uint32_t action) noexcept {
  return statement(BPF_RET | BPF_K, action);
}
/// Goes on with the next instruction where the loaded value is this one, else `skip` further.
constexpr sock_filter unless_equal(std::uint32_t value, std::uint8_t skip) noexcept {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
}

constexpr auto load_architecture = load(offsetof(seccomp_data, arch));
constexpr auto load_call = load(offsetof(seccomp_data, nr));
/// The low half of an argument, from 0: both architectures are little-endian.
constexpr sock_filter load_argument(std::size_t which) noexcept {
  return load(offsetof(seccomp_data, args) + which * sizeof(seccomp_data::args[0]));
}
constexpr auto allow = give(SECCOMP_RET_ALLOW);
constexpr auto kill = give(SECCOMP_RET_KILL_PROCESS);
constexpr auto refuse = give(SECCOMP_RET_ERRNO | EPERM);

int install(sock_filter* instructions, std::size_t length, unsigned long flags = 0) noexcept {
  sock_fprog const program{static_cast<unsigned short>(length), instructions};
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

bool tells(sock_filter const& instruction) noexcept {
  return instruction.code == (BPF_RET | BPF_K) &&
         (instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
}

bool tells_of_calls(sock_filter const* program, std::size_t length) noexcept {
  for (std::size_t i = 0; i < length; ++i)
    if (tells(program[i]))
      return true;
  return false;
}

/// Without a listener the kernel would answer ENOSYS to what is to be told.
void kill_instead_of_telling(sock_filter* program, std::size_t length) noexcept {
  for (std::size_t i = 0; i < length; ++i)
    if (tells(program[i]))
      program[i] = kill;
}

} // namespace

int keep_to_waiting() noexcept {
  constexpr std::uint32_t calls[] = {SYS_ppoll,           SYS_read,          SYS_wait4,
                                     SYS_sendmsg,         SYS_recvmsg,       SYS_sendto,
                                     SYS_close,           SYS_clock_gettime, SYS_rt_sigreturn,
                                     SYS_restart_syscall, SYS_exit_group};
  constexpr auto count = sizeof calls / sizeof *calls;
  struct call_with_argument {
    std::uint32_t call;
    std::size_t argument;
    std::uint32_t value;
  };
  constexpr call_with_argument bound_calls[] = {
      {SYS_ioctl, 1, SECCOMP_IOCTL_NOTIF_RECV},             // and never the one that answers
      {SYS_kill, 0, static_cast<std::uint32_t>(everybody)}, // as its own end does
  };
  constexpr auto bound_count = sizeof bound_calls / sizeof *bound_calls;
  constexpr auto length = 4 + 2 * count + 5 * bound_count;
  static sock_filter program[length];
  auto* next = program;
  *next++ = load_architecture;
  *next++ = unless_equal(architecture, length - 3);
  *next++ = load_call;
  for (auto const call : calls) {
    *next++ = unless_equal(call, 1);
    *next++ = allow;
  }
  for (auto const& each : bound_calls) {
    *next++ = unless_equal(each.call, 4);
    *next++ = load_argument(each.argument);
    *next++ = unless_equal(each.value, 1);
    *next++ = allow;
    *next++ = kill;
  }
  *next++ = kill;
  return install(program, sizeof program / sizeof *program);
}

int keep_signals_to_self() noexcept {
  auto const self = static_cast<std::uint32_t>(::getpid());
  sock_filter program[] = {
      load_call,
      // Their first argument is a process.
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_kill},
      unless_equal(SYS_tgkill, 4),
      load_argument(0),
      unless_equal(self, 1),
      allow,
      refuse,
      // These name a thread, or have other uses than raise() and abort().
      unless_equal(SYS_tkill, 1),
      refuse,
      unless_equal(SYS_rt_sigqueueinfo, 1),
      refuse,
      unless_equal(SYS_rt_tgsigqueueinfo, 1),
      refuse,
      unless_equal(SYS_pidfd_send_signal, 1),
      refuse,
      allow,
  };
  return install(program, sizeof program / sizeof *program);
}

int install_program_filter(int& listener) noexcept {
  static sock_filter program[max_filter_length];
  listener = -1;
  auto const size = ::pread(filter_file, program, sizeof program, 0);
  if (size < 0)
    return -1;
  auto const bytes = static_cast<std::size_t>(size);
  if (bytes == 0 || bytes % sizeof(sock_filter) != 0) {
    errno = EBADMSG;
    return -1;
  }
  auto const length = bytes / sizeof(sock_filter);
  if (tells_of_calls(program, length)) {
    listener = install(program, length, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener >= 0)
      return 0;
    kill_instead_of_telling(program, length);
  }
  return install(program, length);
}

} // namespace bulkhead::launcher
