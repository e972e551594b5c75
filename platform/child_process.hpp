#pragma once

#include <bulkhead/platform/exit_status.hpp>
#include <bulkhead/platform/process_source.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <sys/types.h>

namespace bulkhead::platform {

/// A process that spawn() or start_sandboxed() created. It is signalled and waited for by its
/// descriptor, never by its number, so that no other process is ever hit; when it ends, and at the
/// latest in the destructor, what is left of it is killed and it is reaped: its process group,
/// which a process can leave by itself, or everything in its sandbox. Not thread-safe: everything
/// runs on the thread of the executor that is passed to async_wait_exit().
class child_process {
public:
  /// Must not throw. May destroy the child_process.
  using exit_handler = std::function<void(exit_status)>;

  /// What spawn() knows of a process that it has just created. `descriptor` is its pidfd; empty
  /// where the process was gone before one could be had, which needs an embedding program that
  /// ignores SIGCHLD.
  struct parts {
    pid_t pid = 0;
    unique_fd descriptor;
    unique_fd output;
    unique_fd errors;
  };

  explicit child_process(parts started);
  /// A process that is seen and ended in another way, with the read ends of its output.
  child_process(std::unique_ptr<process_source> source, unique_fd output, unique_fd errors);
  child_process(child_process&&) noexcept;
  /// What was held before is treated as by the destructor.
  child_process& operator=(child_process&&) noexcept;
  /// Kills and reaps a process that still runs and waits for that, normally a few milliseconds. A
  /// process that the kernel can't end (stuck in a device) is left behind after five seconds. No
  /// handler is called any more.
  ~child_process();

  /// For messages and for comparing with a socket's peer. It is this process's number until the
  /// exit handler runs.
  pid_t pid() const noexcept;
  /// What it writes to its standard output and its standard error: the read ends, once; then empty.
  unique_fd take_output() noexcept;
  unique_fd take_errors() noexcept;
  /// How it ended; nothing as long as no wait has seen it end.
  std::optional<exit_status> status() const noexcept;

  /// Calls `handler` on `executor` when the process has ended, what was left is killed and it is
  /// reaped: well under a millisecond after its end, and never from inside this call. Any number of
  /// waits, also after the end; all with the same executor.
  void async_wait_exit(boost::asio::any_io_executor executor, exit_handler handler);

  /// Sends a signal to the program alone. False where it has ended.
  bool signal(int number) noexcept;
  /// Sends SIGKILL to the process and to everything in its group or its sandbox. The exit is then
  /// seen as any other.
  void kill_tree() noexcept;

private:
  class life;
  std::shared_ptr<life> life_;
};

} // namespace bulkhead::platform
