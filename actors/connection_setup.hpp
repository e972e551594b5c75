#pragma once

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/platform/process.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <sys/types.h>

namespace bulkhead {

/// How one process of a host gets connected (docs/protocol.md): prepared before it starts,
/// connected afterwards. One object a start. Destroying it cancels. Loop thread.
class connection_setup {
public:
  /// Called once, maybe from inside connect(), unless the transport is destroyed before.
  using connect_handler = std::function<void(result<link_sockets>)>;

  virtual ~connection_setup() = default;

  /// Adds what the process needs to find its connection.
  virtual result<void> prepare(platform::process_spec& spec) = 0;
  /// Connects to that process and no other.
  virtual void connect(pid_t pid, connect_handler on_connect) = 0;
};

/// The one that the policy names. `place` is where named sockets go; `generation` keeps their names
/// apart.
std::unique_ptr<connection_setup> make_connection_setup(host_policy const& host,
                                                        platform::run_directory& place,
                                                        std::uint64_t generation,
                                                        boost::asio::any_io_executor executor);

/// One of a process that is connected already.
std::unique_ptr<connection_setup> make_finished_setup(link_sockets sockets);

} // namespace bulkhead
