#pragma once

#include <utility>

namespace bulkhead::platform {

/// Owns one file descriptor and closes it at the end of its life. Not thread-safe, but may be
/// passed between threads.
class unique_fd {
public:
  constexpr unique_fd() noexcept = default;
  /// Takes ownership; a negative number is no descriptor, so that a system call's result can be
  /// passed as it is.
  constexpr explicit unique_fd(int fd) noexcept
      : fd_{fd < 0 ? none : fd} {}
  unique_fd(unique_fd&& other) noexcept
      : fd_{other.release()} {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~unique_fd() { reset(); }

  /// The descriptor, still owned; -1 where there is none.
  constexpr int get() const noexcept { return fd_; }
  constexpr explicit operator bool() const noexcept { return fd_ != none; }
  /// Gives up ownership.
  constexpr int release() noexcept { return std::exchange(fd_, none); }
  /// Closes what is owned and owns `fd` instead. errno stays as it is, so that a failure can still
  /// be reported.
  void reset(int fd = none) noexcept;

private:
  static constexpr int none = -1;
  int fd_ = none;
};

/// Another descriptor for the same open file, numbered `lowest` or higher and closed on exec.
/// Empty, with errno set, on failure.
unique_fd duplicate(int fd, int lowest) noexcept;

/// The same open file under a number above 2. In a program that was started with 0, 1 or 2 closed a
/// new descriptor can get such a number, and whatever is then printed would end up in it. Empty,
/// with errno set, on failure or where `fd` is empty.
unique_fd above_standard_streams(unique_fd fd) noexcept;

} // namespace bulkhead::platform
