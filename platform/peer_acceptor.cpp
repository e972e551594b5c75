#include <bulkhead/platform/peer_acceptor.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

namespace asio = boost::asio;

/// So that a flood of strangers does not hold up the event loop.
constexpr int accepts_per_turn = 16;

error accept_failed(int number) {
  return error{errc::connect_failed, "can't accept the host's connection: " + errno_text(number),
               "check the limit on open files"};
}

} // namespace

/// What outlives a peer_acceptor that one of its handlers destroys.
class peer_acceptor::listener : public std::enable_shared_from_this<listener> {
public:
  listener(asio::any_io_executor executor, pid_t expected, accept_handler on_accept,
           stranger_handler on_stranger)
      : socket_{std::move(executor)}
      , expected_{expected}
      , on_accept_{std::move(on_accept)}
      , on_stranger_{std::move(on_stranger)} {}

  void start(unique_fd listening) {
    boost::system::error_code failed;
    socket_.assign(listening.get(), failed);
    if (!failed) {
      listening.release();
      return wait();
    }
    asio::post(socket_.get_executor(), [weak = weak_from_this(), number = failed.value()] {
      if (auto const self = weak.lock(); self && !self->closed_)
        self->finish(accept_failed(number));
    });
  }

  void close() noexcept {
    closed_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  std::uint64_t strangers() const noexcept { return strangers_; }

private:
  void wait() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](boost::system::error_code) {
                         if (auto const self = weak.lock())
                           self->accept();
                       });
  }

  void accept() {
    for (int i = 0; i < accepts_per_turn && !closed_; ++i) {
      unique_fd accepted{
          ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      auto connection = above_standard_streams(std::move(accepted));
      if (connection)
        examine(std::move(connection));
      else if (errno == EAGAIN)
        break;
      else if (errno != EINTR && errno != ECONNABORTED)
        return finish(accept_failed(errno));
    }
    if (!closed_)
      wait();
  }

  void examine(unique_fd connection) {
    auto const seen = peer_of(connection.get());
    auto const who = seen ? *seen : peer{};
    if (who.pid == expected_ && who.uid == ::geteuid())
      return finish(std::move(connection));
    connection.reset();
    ++strangers_;
    if (on_stranger_)
      on_stranger_(who);
  }

  void finish(result<unique_fd> outcome) {
    close();
    on_accept_(std::move(outcome));
  }

  asio::posix::stream_descriptor socket_;
  pid_t expected_;
  accept_handler on_accept_;
  stranger_handler on_stranger_;
  std::uint64_t strangers_ = 0;
  bool closed_ = false;
};

peer_acceptor::peer_acceptor(asio::any_io_executor executor, unique_fd listening, pid_t expected,
                             accept_handler on_accept, stranger_handler on_stranger)
    : listener_{std::make_shared<listener>(std::move(executor), expected, std::move(on_accept),
                                           std::move(on_stranger))} {
  listener_->start(std::move(listening));
}

peer_acceptor::peer_acceptor(peer_acceptor&&) noexcept = default;

peer_acceptor& peer_acceptor::operator=(peer_acceptor&& other) noexcept {
  peer_acceptor taken{std::move(other)};
  std::swap(listener_, taken.listener_);
  return *this;
}

peer_acceptor::~peer_acceptor() {
  if (listener_)
    listener_->close();
}

std::uint64_t peer_acceptor::strangers() const noexcept {
  return listener_->strangers();
}

} // namespace bulkhead::platform
