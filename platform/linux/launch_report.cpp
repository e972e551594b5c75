#include <bulkhead/platform/linux/launch_report.hpp>

#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/pidfd.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/socket.h>
#include <sys/wait.h>

namespace bulkhead::platform {
namespace {

using launch::status_kind;
using launch::status_record;

launch_report::clock::time_point time_of(status_record const& record) noexcept {
  // Of one clock, CLOCK_MONOTONIC (libstdc++), and of one namespace of time.
  return launch_report::clock::time_point{
      std::chrono::nanoseconds{static_cast<std::int64_t>(record.when)}};
}

exit_status end_of(status_record const& record) noexcept {
  siginfo_t seen{};
  seen.si_code = record.value;
  seen.si_status = record.number;
  return status_from(seen);
}

/// How a launch ends whose library shut its side of the status socket, or is gone.
bool is_orphan(step where) noexcept {
  return where == step::orphan_outside || where == step::orphan_inside;
}

/// What a shell adds to a signal's number in an exit code, and bubblewrap with it.
constexpr int signal_offset = 128;

} // namespace

status_read read_status(int socket, received_record& into) noexcept {
  iovec bytes{&into.record, sizeof into.record};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  // Not CMSG_SPACE: in what aligns one descriptor there would be room for another.
  message.msg_controllen = CMSG_LEN(sizeof(int));
  ssize_t size = 0;
  do
    size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size < 0)
    return errno == EAGAIN ? status_read::nothing : status_read::end;
  into.descriptor.reset();
  if (auto const* const header = CMSG_FIRSTHDR(&message);
      header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    into.descriptor = above_standard_streams(unique_fd{descriptor});
  }
  auto const is_whole =
      size == static_cast<ssize_t>(sizeof into.record) && (message.msg_flags & MSG_TRUNC) == 0;
  return is_whole && into.record.magic == launch::record_magic ? status_read::record
                                                               : status_read::end;
}

void take(status_record const& record, launch_report& report) {
  auto const when = time_of(record);
  switch (record.kind) {
  case status_kind::failed:
    report.failure = launch_failure{record.where, record.number, record.value};
    break;
  case status_kind::staged:
    report.staged = when;
    break;
  case status_kind::contained:
    report.contained = when;
    report.landlock = std::max(record.value, 0);
    break;
  case status_kind::running:
    report.running = when;
    break;
  case status_kind::ended:
    report.ended = when;
    report.end = end_of(record);
    report.end->forbidden_call = report.forbidden_call;
    report.used =
        launch_report::usage{std::chrono::microseconds{static_cast<std::int64_t>(record.user_us)},
                             std::chrono::microseconds{static_cast<std::int64_t>(record.system_us)},
                             record.peak_kib * 1024};
    break;
  case status_kind::forbidden:
    report.forbidden_call = name_of_call(record.number);
    break;
  case status_kind::filtered:
    break; // stage 2's
  }
}

exit_status settle(launch_report& report, exit_status outer, bool killed, std::string said) {
  if (report.end)
    return *report.end;
  if (killed && report.failure && is_orphan(report.failure->where))
    report.failure.reset();
  if (killed && !report.failure)
    return {exit_kind::signaled, SIGKILL, false};
  if (!report.failure && report.staged && !report.contained)
    report.failure = launch_failure{step::bubblewrap, 0, 0, std::move(said)};
  if (report.failure)
    return {exit_kind::not_started, static_cast<int>(report.failure->where), false};
  // The sandbox's first process or bubblewrap was killed, and the program with it. bubblewrap says
  // so as a shell does.
  if (outer.kind == exit_kind::exited && outer.value > signal_offset)
    return {exit_kind::signaled, outer.value - signal_offset, false};
  return outer;
}

} // namespace bulkhead::platform
