#pragma once

#include <bulkhead/platform/exit_status.hpp>

#include <optional>
#include <sys/types.h>

namespace bulkhead::platform {

/// What a child_process stands for, plain or contained: it is seen and ended through this. Not
/// thread-safe.
class process_source {
public:
  process_source() = default;
  process_source(process_source&&) = delete;
  virtual ~process_source() = default;

  /// The number of the process that was created.
  virtual pid_t pid() const noexcept = 0;
  /// Readable when collect() may have something new; the same for its whole life. -1 where nothing
  /// will ever be seen.
  virtual int descriptor() const noexcept = 0;
  /// Takes in what there is, without waiting. How it ended, once nothing of it is left; it is
  /// reaped then, and the other functions are not called any more.
  virtual std::optional<exit_status> collect() noexcept = 0;
  /// Sends a signal to the program alone. False where it has ended.
  virtual bool signal(int number) noexcept = 0;
  /// Has the program and all that came from it killed; collect() then sees the end.
  virtual void kill_tree() noexcept = 0;
};

} // namespace bulkhead::platform
