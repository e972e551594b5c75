#pragma once

#include <bulkhead/platform/unique_fd.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <memory>
#include <string_view>

namespace bulkhead::bench {

/// What Bulkhead is measured against: the client that one would write in an afternoon. An Asio
/// coroutine reads, Boost.JSON makes and reads every message as a tree, ids are strings in a hash
/// map. No actor, no check, no deadline, no state. It talks to the same Node process.
class floor_client {
public:
  using done = std::function<void(boost::json::value const& payload)>;

  /// Speaks with the host at the other end of `socket`.
  floor_client(boost::asio::io_context& loop, platform::unique_fd socket);
  floor_client(floor_client&&) = delete;
  ~floor_client();

  /// Sends a request. `ended` gets the reply's payload.
  void request(std::string_view type, boost::json::value payload, done ended);

private:
  struct connection;
  std::shared_ptr<connection> connection_;
};

} // namespace bulkhead::bench
