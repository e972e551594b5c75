#include <bulkhead/platform/linux/launcher/forbidden_calls.hpp>

#include <cerrno>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

namespace bulkhead::launcher {

int receive_forbidden_call(int listener, std::int32_t& number) noexcept {
  // The request's number has the size in it: a kernel with another one refuses it.
  seccomp_notif call{};
  auto received = -1;
  do
    received = ::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call);
  while (received != 0 && errno == EINTR);
  number = call.data.nr;
  return received;
}

} // namespace bulkhead::launcher
