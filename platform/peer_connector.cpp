#include <bulkhead/platform/peer_connector.hpp>

#include <boost/asio/steady_timer.hpp>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {

namespace asio = boost::asio;

/// The attempts. It outlives a peer_connector that the handler destroys.
class peer_connector::series : public std::enable_shared_from_this<series> {
public:
  series(asio::any_io_executor executor, std::filesystem::path path, pid_t expected,
         connect_handler on_connect, connect_schedule schedule)
      : timer_{std::move(executor)}
      , path_{std::move(path)}
      , expected_{expected}
      , on_connect_{std::move(on_connect)}
      , schedule_{schedule} {}

  void attempt_after(std::chrono::milliseconds pause) {
    timer_.expires_after(pause);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code) {
      if (auto const self = weak.lock(); self && !self->cancelled_)
        self->attempt();
    });
  }

  void cancel() {
    cancelled_ = true;
    timer_.cancel();
  }

  int attempts() const noexcept { return attempts_; }

private:
  void attempt() {
    ++attempts_;
    auto connection = connect_to(path_);
    if (connection)
      return on_connect_(examine(std::move(*connection)));
    if (connection.error().code() != errc::connect_failed)
      return on_connect_(std::move(connection));
    if (attempts_ < schedule_.attempts)
      return attempt_after(schedule_.step * attempts_);
    on_connect_(error{errc::connect_failed, connection.error().detail() + " (attempt " +
                                                std::to_string(attempts_) + " of " +
                                                std::to_string(schedule_.attempts) + ")"});
  }

  result<unique_fd> examine(unique_fd connection) const {
    auto const who = peer_of(connection.get());
    if (!who)
      return who.error();
    if (who->pid != expected_ || who->uid != ::geteuid())
      return error{errc::untrusted_peer, "process " + std::to_string(who->pid) + " of user " +
                                             std::to_string(who->uid) + " listens at " +
                                             path_.string() + ", not the host's process " +
                                             std::to_string(expected_)};
    return connection;
  }

  asio::steady_timer timer_;
  std::filesystem::path path_;
  pid_t expected_;
  connect_handler on_connect_;
  connect_schedule schedule_;
  int attempts_ = 0;
  bool cancelled_ = false;
};

peer_connector::peer_connector(asio::any_io_executor executor, std::filesystem::path path,
                               pid_t expected, connect_handler on_connect,
                               connect_schedule schedule)
    : series_{std::make_shared<series>(std::move(executor), std::move(path), expected,
                                       std::move(on_connect), schedule)} {
  series_->attempt_after(std::chrono::milliseconds::zero());
}

peer_connector::peer_connector(peer_connector&&) noexcept = default;

peer_connector& peer_connector::operator=(peer_connector&& other) noexcept {
  peer_connector taken{std::move(other)};
  std::swap(series_, taken.series_);
  return *this;
}

peer_connector::~peer_connector() {
  if (series_)
    series_->cancel();
}

int peer_connector::attempts() const noexcept {
  return series_->attempts();
}

} // namespace bulkhead::platform
