#include "attack.hpp"

#include <cstdint>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace adversary {
namespace {

outcome load_program_into_kernel(target const&) {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = sizeof(std::uint32_t);
  map.value_size = sizeof(std::uint32_t);
  map.max_entries = 1;
  return outcome_of(::syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

outcome count_events(target const&) {
  perf_event_attr events{};
  events.type = PERF_TYPE_SOFTWARE;
  events.size = sizeof events;
  events.config = PERF_COUNT_SW_PAGE_FAULTS;
  events.exclude_kernel = 1;
  return outcome_of(::syscall(SYS_perf_event_open, &events, 0, -1, -1, 0));
}

outcome handle_page_faults(target const&) {
  return outcome_of(::syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
}

outcome put_key(target const&) {
  return outcome_of(
      ::syscall(SYS_add_key, "user", "bulkhead-attack", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

outcome read_keys(target const&) {
  return outcome_of(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0, 0, 0));
}

outcome ask_for_key(target const&) {
  return outcome_of(
      ::syscall(SYS_request_key, "user", "bulkhead-attack", nullptr, KEY_SPEC_PROCESS_KEYRING));
}

outcome load_kernel(target const&) {
  return outcome_of(::syscall(SYS_kexec_load, 0, 0, nullptr, 0));
}

outcome load_module(target const&) {
  return outcome_of(::syscall(SYS_init_module, "", 0, ""));
}

outcome set_up_ring(target const&) {
  io_uring_params parameters{};
  return outcome_of(::syscall(SYS_io_uring_setup, 1, &parameters));
}

outcome open_by_handle(target const&) {
  struct {
    std::uint32_t bytes = sizeof(std::uint64_t);
    std::int32_t type = 1;
    std::uint64_t number = 2; // the root folder of ext4
  } handle;
  return outcome_of(::syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
}

outcome read_kernel_log(target const&) {
  char buffer[64];
  constexpr int read_all = 3;
  return outcome_of(::syscall(SYS_syslog, read_all, buffer, sizeof buffer));
}

outcome unrandomize_addresses(target const&) {
  return outcome_of(::personality(ADDR_NO_RANDOMIZE));
}

outcome set_clock(target const&) {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  return outcome_of(::settimeofday(&now, nullptr));
}

#if defined(__x86_64__)
outcome call_as_i386(target const&) {
  constexpr long getpid_there = 20;
  long result = getpid_there;
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  errno = static_cast<int>(-result);
  return outcome_of(result);
}

outcome call_as_x32(target const&) {
  constexpr long x32_bit = 0x4000'0000;
  return outcome_of(::syscall(x32_bit | SYS_getpid));
}
#endif

constexpr attack attacks[] = {
    {"load-program-into-kernel", load_program_into_kernel},
    {"count-events", count_events},
    {"handle-page-faults", handle_page_faults},
    {"put-key", put_key},
    {"read-keys", read_keys},
    {"ask-for-key", ask_for_key},
    {"load-kernel", load_kernel},
    {"load-module", load_module},
    {"set-up-ring", set_up_ring},
    {"open-by-handle", open_by_handle},
    {"read-kernel-log", read_kernel_log},
    {"unrandomize-addresses", unrandomize_addresses},
    {"set-clock", set_clock},
#if defined(__x86_64__)
    {"call-as-i386", call_as_i386},
    {"call-as-x32", call_as_x32},
#endif
};

} // namespace

std::span<attack const> kernel_attacks() noexcept {
  return attacks;
}

} // namespace adversary
