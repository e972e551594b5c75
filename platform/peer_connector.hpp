#pragma once

#include <bulkhead/platform/unix_socket.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace bulkhead::platform {

/// How often a host that has just been started is given another chance to listen. After attempt n
/// the next one comes n steps later, so that a fast host is met at once and a slow one is not
/// pestered: nine seconds in all.
struct connect_schedule {
  int attempts = 10; ///< 1 or more
  std::chrono::milliseconds step{200};
};

/// Connects to the socket that an expected process listens on, trying again until it does.
/// Destroying it cancels; the handler is not called afterwards. Not thread-safe: all of it runs on
/// the executor's thread.
class peer_connector {
public:
  /// The connection, which does not block, or socket_path_too_long, connect_failed after the last
  /// attempt, or untrusted_peer where another process listens there. Called once and never from
  /// inside the constructor; may destroy the connector; must not throw.
  using connect_handler = std::function<void(result<unique_fd>)>;

  /// `expected` is the process's number, which must not be reaped meanwhile; it must also run as
  /// our user.
  peer_connector(boost::asio::any_io_executor executor, std::filesystem::path path, pid_t expected,
                 connect_handler on_connect, connect_schedule schedule = {});
  peer_connector(peer_connector&&) noexcept;
  peer_connector& operator=(peer_connector&&) noexcept;
  ~peer_connector();

  /// How many attempts were made so far.
  int attempts() const noexcept;

private:
  class series;
  std::shared_ptr<series> series_;
};

} // namespace bulkhead::platform
