#include <bulkhead/platform/standard_streams.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace bulkhead::platform {

void occupy_standard_streams() noexcept {
  // The kernel gives the lowest number that is free, so that none is free once one above is given.
  for (;;) {
    auto const opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (opened < 0)
      return;
    if (opened > STDERR_FILENO) {
      ::close(opened);
      return;
    }
    ::fcntl(opened, F_SETFD, 0); // as a program expects it of its streams
  }
}

} // namespace bulkhead::platform
