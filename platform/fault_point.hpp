#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::platform {

// Faults of the machine, for tests: the system calls that a real machine refuses or delays do so
// here, in the place where they are made, so that everything above is the code that will meet the
// real fault. Without a fault it costs one relaxed load for a system call.
//
// No real mechanism does the same for any user in a process that goes on: RLIMIT_NPROC spares root
// and counts what is not ours, RLIMIT_FSIZE sends a signal and is inherited, a small file system
// takes a mount, and a slow one a module of the kernel's.

/// A place at which system calls can be made to fail or to wait.
enum class fault_point : std::uint8_t {
  spawn,       ///< a process is created, contained or not
  disk_lookup, ///< a name is looked up: brokered files, storage, the vault
  disk_write,  ///< bytes or a folder are written: brokered files, storage, the audit log, the vault
};
inline constexpr std::size_t fault_points = 3;

/// What becomes of the calls at one point.
struct fault {
  std::int32_t error_number = 0; ///< they fail with it; 0: they are made
  std::int32_t delay_ms = 0;     ///< so long before that, or until the fault is gone

  friend bool operator==(fault const&, fault const&) = default;
};

/// Whether the call that is about to be made there is to fail instead, with errno set. First waits
/// for the delay, on whichever thread that is: one that must not wait for the disk is found out.
bool is_refused(fault_point where) noexcept;

/// A fault at one point, for the whole process, from its construction to its destruction. Of two at
/// one point the inner one holds; they end like scopes. May be used by any thread.
class injected_fault {
public:
  injected_fault(fault_point where, fault what) noexcept;
  injected_fault(injected_fault const&) = delete;
  injected_fault& operator=(injected_fault const&) = delete;
  ~injected_fault();

private:
  fault_point where_;
  fault before_;
};

} // namespace bulkhead::platform
