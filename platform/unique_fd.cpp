#include <bulkhead/platform/unique_fd.hpp>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace bulkhead::platform {

void unique_fd::reset(int fd) noexcept {
  if (fd_ != none && fd_ != fd) {
    auto const kept = errno;
    // Not repeated on EINTR: Linux has released the number by then, and another thread may own it.
    ::close(fd_);
    errno = kept;
  }
  fd_ = fd < 0 ? none : fd;
}

unique_fd duplicate(int fd, int lowest) noexcept {
  return unique_fd{::fcntl(fd, F_DUPFD_CLOEXEC, lowest)};
}

unique_fd above_standard_streams(unique_fd fd) noexcept {
  if (!fd || fd.get() > STDERR_FILENO)
    return fd;
  return duplicate(fd.get(), STDERR_FILENO + 1);
}

} // namespace bulkhead::platform
