#pragma once

#include <bulkhead/platform/unix_socket.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

namespace bulkhead::platform {

/// Waits for the one connection that an expected process makes to a listening socket. Connections
/// of other processes are closed and counted, and it goes on waiting. Destroying it cancels; no
/// handler is called afterwards. Not thread-safe: all of it runs on the executor's thread.
class peer_acceptor {
public:
  /// The connection, which does not block, or connect_failed where the operating system refused to
  /// accept any. Called once and never from inside the constructor; may destroy the acceptor; must
  /// not throw.
  using accept_handler = std::function<void(result<unique_fd>)>;
  /// Told of each connection that was turned away. The same rules.
  using stranger_handler = std::function<void(peer)>;

  /// `expected` is the process's number, which must not be reaped meanwhile; it must also run as
  /// our user.
  peer_acceptor(boost::asio::any_io_executor executor, unique_fd listening, pid_t expected,
                accept_handler on_accept, stranger_handler on_stranger = {});
  peer_acceptor(peer_acceptor&&) noexcept;
  peer_acceptor& operator=(peer_acceptor&&) noexcept;
  ~peer_acceptor();

  /// How many connections were turned away.
  std::uint64_t strangers() const noexcept;

private:
  class listener;
  std::shared_ptr<listener> listener_;
};

} // namespace bulkhead::platform
