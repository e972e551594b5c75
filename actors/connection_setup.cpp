#include <bulkhead/actors/connection_setup.hpp>

#include <bulkhead/platform/peer_acceptor.hpp>
#include <bulkhead/platform/peer_connector.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <optional>
#include <string>
#include <utility>

namespace bulkhead {
namespace {

/// One inherited socketpair: no path, no race, nobody else.
class socketpair_setup final : public connection_setup {
public:
  result<void> prepare(platform::process_spec& spec) override {
    auto pair = platform::make_socketpair();
    if (!pair)
      return pair.error();
    sockets_ = std::move(*pair);
    spec.inherited.emplace_back(child_number, sockets_.theirs.get());
    spec.environment.insert_or_assign("BULKHEAD_IPC_FD", std::to_string(child_number));
    return {};
  }

  void connect(pid_t, connect_handler on_connect) override {
    sockets_.theirs.reset(); // or its end would never be seen
    on_connect(link_sockets{std::move(sockets_.ours), {}});
  }

private:
  /// The first one behind the standard streams.
  static constexpr int child_number = 3;

  platform::socket_pair sockets_;
};

/// Two named sockets in the runtime's private directory: the host listens on one and the backend on
/// the other.
class named_sockets_setup final : public connection_setup {
public:
  named_sockets_setup(platform::run_directory& place, std::uint64_t generation,
                      boost::asio::any_io_executor executor)
      : place_{place}
      , host_listens_{"h" + std::to_string(generation)}
      , backend_listens_{"b" + std::to_string(generation)}
      , executor_{std::move(executor)} {}

  ~named_sockets_setup() override {
    place_.remove_file(host_listens_);
    place_.remove_file(backend_listens_);
  }

  result<void> prepare(platform::process_spec& spec) override {
    if (auto const usable = platform::check_socket_path(place_.path() / host_listens_); !usable)
      return usable.error();
    auto listening = platform::listen_at(place_.path() / backend_listens_);
    if (!listening)
      return listening.error();
    listening_ = std::move(*listening);
    auto const url = [&](std::string const& name) {
      return "ipc://" + (place_.path() / name).string();
    };
    spec.environment.insert_or_assign("DSCODE_IPC_URL", url(host_listens_));
    spec.environment.insert_or_assign("DSCODE_INCOMING_IPC_URL", url(backend_listens_));
    return {};
  }

  void connect(pid_t pid, connect_handler on_connect) override {
    on_connect_ = std::move(on_connect);
    acceptor_.emplace(
        executor_, std::move(listening_), pid,
        [this](result<platform::unique_fd> got) { arrived(std::move(got), sockets_.incoming); });
    connector_.emplace(
        executor_, place_.path() / host_listens_, pid,
        [this](result<platform::unique_fd> got) { arrived(std::move(got), sockets_.requests); });
  }

private:
  void arrived(result<platform::unique_fd> got, platform::unique_fd& where) {
    if (!on_connect_)
      return;
    if (!got)
      return std::exchange(on_connect_, {})(got.error());
    where = std::move(*got);
    if (sockets_.requests && sockets_.incoming)
      std::exchange(on_connect_, {})(std::move(sockets_));
  }

  platform::run_directory& place_;
  std::string host_listens_;
  std::string backend_listens_;
  boost::asio::any_io_executor executor_;
  platform::unique_fd listening_;
  link_sockets sockets_;
  connect_handler on_connect_;
  std::optional<platform::peer_acceptor> acceptor_;
  std::optional<platform::peer_connector> connector_;
};

class finished_setup final : public connection_setup {
public:
  explicit finished_setup(link_sockets sockets)
      : sockets_{std::move(sockets)} {}

  result<void> prepare(platform::process_spec&) override { return {}; }
  void connect(pid_t, connect_handler on_connect) override { on_connect(std::move(sockets_)); }

private:
  link_sockets sockets_;
};

} // namespace

std::unique_ptr<connection_setup> make_connection_setup(host_policy const& host,
                                                        platform::run_directory& place,
                                                        std::uint64_t generation,
                                                        boost::asio::any_io_executor executor) {
  if (host.transport == host_transport::sockets)
    return std::make_unique<named_sockets_setup>(place, generation, std::move(executor));
  return std::make_unique<socketpair_setup>();
}

std::unique_ptr<connection_setup> make_finished_setup(link_sockets sockets) {
  return std::make_unique<finished_setup>(std::move(sockets));
}

} // namespace bulkhead
