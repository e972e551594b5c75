#include <bulkhead/actors/spare_process.hpp>

#include <bulkhead/platform/exit_status.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <utility>

namespace bulkhead {

std::shared_ptr<spare_process> spare_process::watch(started_process process,
                                                    boost::asio::any_io_executor executor,
                                                    listener listening) {
  auto const made = std::shared_ptr<spare_process>{
      new spare_process{std::move(process), std::move(executor), std::move(listening)}};
  made->connect();
  made->wait_for_exit();
  return made;
}

spare_process::spare_process(started_process process, boost::asio::any_io_executor executor,
                             listener listening)
    : process_{std::move(process)}
    , executor_{std::move(executor)}
    , socket_{executor_}
    , listener_{std::move(listening)} {}

spare_process::~spare_process() = default;

/// With a socket pair that happens at once.
void spare_process::connect() {
  process_.setup->connect(process_.process.pid(), [this](result<link_sockets> sockets) {
    if (!sockets)
      return;
    socket_.assign(sockets->requests.release());
    wait_until_ready();
  });
}

void spare_process::wait_until_ready() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [weak = weak_from_this()](boost::system::error_code failed) {
                       auto const self = weak.lock();
                       // An end of the stream is one of the process, which is told when it is seen.
                       if (!failed && self && self->listener_.ready &&
                           platform::holds_bytes(self->socket_.native_handle()))
                         self->listener_.ready();
                     });
}

void spare_process::wait_for_exit() {
  process_.process.async_wait_exit(executor_,
                                   [weak = weak_from_this()](platform::exit_status status) {
                                     auto const self = weak.lock();
                                     if (!self || !self->listener_.ended)
                                       return;
                                     auto const failure = self->process_.contained->failure();
                                     std::exchange(self->listener_.ended, nullptr)(
                                         failure ? failure->what() : platform::to_string(status));
                                   });
}

started_process spare_process::release() {
  listener_ = {};
  process_.setup = make_finished_setup({platform::unique_fd{socket_.release()}, {}});
  return std::move(process_);
}

} // namespace bulkhead
