#include <bulkhead/platform/linux/launcher/offspring.hpp>

#include <csignal>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

/// Room for a few hundred numbers; the rest is seen the next time round.
constexpr int list_size = 4096;

/// Kills the children that this process has now. False where it has none, or the kernel does not
/// tell (CONFIG_PROC_CHILDREN).
bool kill_children() noexcept {
  auto const list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (list < 0)
    return false;
  static char text[list_size];
  auto const size = ::read(list, text, sizeof text);
  ::close(list);
  auto any = false;
  pid_t process = 0;
  for (ssize_t i = 0; i < size; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      process = process * 10 + (text[i] - '0');
    } else if (process > 0) {
      // Its number is its own until it is waited for below.
      ::kill(process, SIGKILL);
      process = 0;
      any = true;
    }
  }
  return any;
}

} // namespace

void end_offspring() noexcept {
  // Anew after each end: what it left behind has come to this process by then, and lives.
  while (kill_children() && ::waitpid(-1, nullptr, 0) > 0) {
  }
}

} // namespace bulkhead::launcher
