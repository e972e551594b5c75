#include <bulkhead/harness/faults.hpp>

#include <bulkhead/platform/pidfd.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <limits>

namespace bulkhead::testing {
namespace {

using platform::fault;
using platform::fault_point;

/// Empty where the host has no process.
platform::unique_fd process_of(host_handle const& host) {
  auto const number = host.status().pid;
  if (number <= 0)
    return {};
  auto process = platform::open_pidfd(number);
  // Still the host's: it was not reaped meanwhile, and its number not given to another one.
  return host.status().pid == number ? std::move(process) : platform::unique_fd{};
}

fault refusing(int error_number) noexcept {
  return {.error_number = error_number, .delay_ms = 0};
}

fault delaying(std::chrono::milliseconds delay) noexcept {
  constexpr std::int64_t longest = std::numeric_limits<std::int32_t>::max();
  return {.error_number = 0,
          .delay_ms =
              static_cast<std::int32_t>(std::clamp<std::int64_t>(delay.count(), 0, longest))};
}

} // namespace

bool kill(host_handle const& host) {
  auto const process = process_of(host);
  return process && platform::send_signal(process.get(), SIGKILL);
}

stopped_host::stopped_host(host_handle const& host)
    : process_{process_of(host)} {
  if (process_ && !platform::send_signal(process_.get(), SIGSTOP))
    process_.reset();
}

stopped_host::~stopped_host() {
  if (process_)
    platform::send_signal(process_.get(), SIGCONT);
}

refused_spawn::refused_spawn() noexcept
    : fault_{fault_point::spawn, refusing(EAGAIN)} {}

full_disk::full_disk() noexcept
    : fault_{fault_point::disk_write, refusing(ENOSPC)} {}

slow_disk::slow_disk(std::chrono::milliseconds delay) noexcept
    : lookup_{fault_point::disk_lookup, delaying(delay)}
    , write_{fault_point::disk_write, delaying(delay)} {}

} // namespace bulkhead::testing
