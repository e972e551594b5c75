#pragma once

#include <bulkhead/actors/started_process.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

namespace bulkhead {

/// A process that has come as far as it can without its extension: it runs in its sandbox, is
/// connected, and what it says when it is ready waits unread. Nothing is sent to it before a host
/// has taken it. Destroying it kills it. Loop thread.
class spare_process : public std::enable_shared_from_this<spare_process> {
public:
  /// Both are told once at the most, and nothing after release().
  struct listener {
    std::function<void()> ready;
    std::function<void(std::string how)> ended; ///< may destroy the process
  };

  /// Of a host whose transport is a socket pair.
  static std::shared_ptr<spare_process>
  watch(started_process process, boost::asio::any_io_executor executor, listener listening);
  spare_process(spare_process&&) = delete;
  ~spare_process();

  /// The process, with all that it has said and printed so far. Once it is ready, once.
  started_process release();

  /// SIGKILL for the whole tree; the end is then told as any other.
  void kill() { process_.process.kill_tree(); }

  /// As host_process::pid().
  pid_t pid() const { return program_of(process_.process, *process_.contained); }

private:
  spare_process(started_process process, boost::asio::any_io_executor executor, listener listening);

  void connect();
  void wait_until_ready();
  void wait_for_exit();

  started_process process_;
  boost::asio::any_io_executor executor_;
  boost::asio::posix::stream_descriptor socket_;
  listener listener_;
};

} // namespace bulkhead
