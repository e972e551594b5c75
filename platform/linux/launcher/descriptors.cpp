#include <bulkhead/platform/linux/launcher/descriptors.hpp>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

bool close_range(unsigned first, unsigned last) noexcept {
  return first > last || ::syscall(SYS_close_range, first, last, 0) == 0;
}

} // namespace

bool close_all_but(int const* kept, int count) noexcept {
  unsigned first = 0;
  for (int i = 0; i < count; ++i) {
    auto const next = static_cast<unsigned>(kept[i]);
    if (next > 0 && !close_range(first, next - 1))
      return false;
    first = next + 1;
  }
  return close_range(first, ~0u);
}

int make_rope(int (&ends)[2]) noexcept {
  return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

} // namespace bulkhead::launcher
