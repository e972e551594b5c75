#pragma once

#include <bulkhead/platform/fault_point.hpp>
#include <bulkhead/platform/unique_fd.hpp>
#include <bulkhead/runtime.hpp>

#include <chrono>

/// What goes wrong on a machine, to see that a backend and its policy live with it.
///
/// A process is signalled by a descriptor that was opened while the host said that it was its own,
/// never by number alone. The faults of the machine hold for the whole process that embeds the
/// runtime, as long as their object lives: of two of one kind the inner one holds. All of it may be
/// used by any thread.
namespace bulkhead::testing {

/// Sends SIGKILL to the host's program. False: it has none, or it ended meanwhile.
bool kill(host_handle const& host);

/// The host's program stopped with SIGSTOP, until the destructor lets it go on.
class stopped_host {
public:
  /// Without effect where the host has no process.
  explicit stopped_host(host_handle const& host);
  stopped_host(stopped_host const&) = delete;
  stopped_host& operator=(stopped_host const&) = delete;
  ~stopped_host();

  /// Whether it was there to be stopped.
  explicit operator bool() const noexcept { return static_cast<bool>(process_); }

private:
  platform::unique_fd process_;
};

/// No process can be created: EAGAIN, as at the limit of processes. Those that run go on.
class refused_spawn {
public:
  refused_spawn() noexcept;

private:
  platform::injected_fault fault_;
};

/// Nothing can be written: ENOSPC for brokered files, the hosts' storage, the audit log and the
/// vault. What is there can be read and deleted. What the hosts write themselves is not concerned.
class full_disk {
public:
  full_disk() noexcept;

private:
  platform::injected_fault fault_;
};

/// Each name that is looked up and each write takes so much longer, where full_disk says as well.
/// It is the calling thread that waits: work on the disk that were done on the loop's thread would
/// hold up every host.
class slow_disk {
public:
  explicit slow_disk(std::chrono::milliseconds delay) noexcept;

private:
  platform::injected_fault lookup_;
  platform::injected_fault write_;
};

} // namespace bulkhead::testing
