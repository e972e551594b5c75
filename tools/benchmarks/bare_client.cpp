#include "bare_client.hpp"

#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/outbound_buffer.hpp>
#include <bulkhead/messages/request_table.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bulkhead::bench {
namespace {

namespace asio = boost::asio;
using asio::posix::descriptor_base;
constexpr std::chrono::seconds time_out{30};

} // namespace

struct bare_client::connection : std::enable_shared_from_this<connection> {
  connection(asio::io_context& loop, platform::unique_fd with)
      : socket{loop, with.release()} {}

  void read() {
    socket.async_wait(descriptor_base::wait_read,
                      [self = shared_from_this()](boost::system::error_code failed) {
                        if (!failed && self->read_turn())
                          self->read();
                      });
  }

  /// False at the end.
  bool read_turn() {
    in_turn = true;
    for (auto more = true; more;) {
      auto const room = decoder.prepare(scratch);
      auto const got = platform::read_some(socket.native_handle(), std::as_writable_bytes(room));
      if (got.status != platform::io_status::done && got.status != platform::io_status::would_block)
        return false;
      more = got.bytes == room.size();
      auto const broken = decoder.commit(got.bytes, [&](wire::raw_frame& frame) {
        receive(frame.json);
        return true;
      });
      if (broken)
        throw std::runtime_error{"the host broke the protocol"};
    }
    in_turn = false;
    flush();
    return true;
  }

  void receive(std::string_view body) {
    wire::envelope frame;
    if (scanner.scan(body, frame))
      throw std::runtime_error{"the host broke the protocol"};
    if (wire::classify(frame.type).kind == wire::message_kind::request) {
      if (!frame.id.empty() && !writer.reply(frame.raw_id, frame.raw_type, "{}"))
        throw std::length_error{"a reply is too long"};
      return;
    }
    auto const id = wire::parse_id(frame.id);
    auto const ended = id ? open.take(*id) : std::nullopt;
    if (ended)
      (*ended)(frame.payload);
  }

  void flush_soon() {
    if (in_turn || std::exchange(flush_posted, true))
      return;
    asio::post(socket.get_executor(), [self = shared_from_this()] {
      self->flush_posted = false;
      self->flush();
    });
  }

  void flush() {
    while (!out.empty() && !waiting) {
      auto const bytes = out.view();
      auto const sent = platform::write_some(socket.native_handle(), std::span{&bytes, 1});
      if (sent.status == platform::io_status::would_block) {
        waiting = true;
        socket.async_wait(descriptor_base::wait_write,
                          [self = shared_from_this()](boost::system::error_code failed) {
                            self->waiting = false;
                            if (!failed)
                              self->flush();
                          });
        return;
      }
      if (sent.status != platform::io_status::done)
        return;
      out.consume(sent.bytes);
    }
  }

  asio::posix::stream_descriptor socket;
  std::vector<char> scratch = std::vector<char>(256 * 1024);
  wire::frame_decoder decoder{wire::max_frame_size};
  wire::frame_scanner scanner;
  wire::outbound_buffer out;
  wire::frame_writer writer{out, wire::max_frame_size};
  wire::request_table<done> open;
  bool in_turn = false;
  bool flush_posted = false;
  bool waiting = false;
};

bare_client::bare_client(asio::io_context& loop, platform::unique_fd socket)
    : connection_{std::make_shared<connection>(loop, std::move(socket))} {
  connection_->read();
}

bare_client::~bare_client() {
  boost::system::error_code ignored;
  connection_->socket.close(ignored);
}

void bare_client::request(std::string_view type, std::string_view payload, done ended) {
  auto const now = deadline::clock::now();
  auto const id = connection_->open.insert(std::move(ended), now + time_out, now).value();
  if (!connection_->writer.request(id, type, payload))
    throw std::length_error{"a request is too long"};
  connection_->flush_soon();
}

} // namespace bulkhead::bench
