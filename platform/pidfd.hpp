#pragma once

#include <bulkhead/platform/exit_status.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <csignal>
#include <sys/types.h>

namespace bulkhead::platform {

// Processes by descriptor (pidfd): never by number, which may be another process's by now. All of
// it may be called by any thread.

/// PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h, which Debian 12's headers don't have. Since Linux
/// 6.9.
inline constexpr unsigned to_process_group = 1u << 2;

/// The process that has this number now; empty with errno where there is none. Whose number it was
/// before is only known of a child that nobody has reaped, or by a look at its owner afterwards.
unique_fd open_pidfd(pid_t number) noexcept;

/// False with errno where it could not be sent.
bool send_signal(int pidfd, int number, unsigned flags = 0) noexcept;

/// waitid(2) for one child: 0, or the error number.
int wait_by_descriptor(int pidfd, int options, siginfo_t& seen) noexcept;

/// Sends SIGKILL to the process group that a child of ours leads; the child itself may have ended.
void kill_group(int pidfd, pid_t leader) noexcept;

/// What waitid() said of a process that ended.
exit_status status_from(siginfo_t const& seen) noexcept;

/// How a process ended that the kernel has reaped by itself, as it does where the embedding program
/// ignores SIGCHLD. Unknown before Linux 6.15, which is the first to tell.
exit_status status_of_reaped(int pidfd) noexcept;

} // namespace bulkhead::platform
