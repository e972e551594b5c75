#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string_view>

namespace bulkhead::bench {

/// Bulkhead's own codec and request table on a socket, and nothing else: no actor, no state, no
/// limit, no event. What remains to be won in actors/ is the distance to it.
class bare_client {
public:
  using done = std::function<void(std::string_view payload)>;

  /// Speaks with the host at the other end of `socket`.
  bare_client(boost::asio::io_context& loop, platform::unique_fd socket);
  bare_client(bare_client&&) = delete;
  ~bare_client();

  /// Sends a request. `ended` gets the reply's payload, JSON text.
  void request(std::string_view type, std::string_view payload, done ended);

private:
  struct connection;
  std::shared_ptr<connection> connection_;
};

} // namespace bulkhead::bench
