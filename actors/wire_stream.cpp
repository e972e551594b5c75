#include <bulkhead/actors/wire_stream.hpp>

#include <bulkhead/config/defaults.hpp>
#include <bulkhead/messages/sensitive.hpp>
#include <bulkhead/platform/unix_socket.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <tuple>
#include <utility>

namespace bulkhead {
namespace {

/// Reads of one stream in one turn of the loop; then the others have theirs.
constexpr int reads_per_turn = 4;
/// What is written in answer to the frames of one read leaves in pieces, after so many frames or
/// about so many bytes: the peer works on the first while we are at the next. Half of the 64 calls
/// that a busy host may well have open; for small frames one more system call is then still cheap.
constexpr int frames_a_piece = 32;
constexpr std::size_t bytes_a_piece = 64 << 10;

} // namespace

wire_stream::wire_stream(loop& on, platform::unique_fd socket, std::size_t frame_limit,
                         std::span<char> scratch, listener& who,
                         std::chrono::milliseconds frame_time)
    : loop_{on}
    , socket_{on.context(), socket.release()}
    , frame_timer_{on.context()}
    , frame_time_{frame_time}
    , decoder_{frame_limit}
    , scratch_{scratch}
    , listener_{&who} {}

void wire_stream::start() {
  wait_readable();
}

void wire_stream::close() noexcept {
  open_ = false;
  boost::system::error_code ignored;
  socket_.close(ignored);
  frame_timer_.cancel();
  pending_.clear();
}

// ---- reading ----------------------------------------------------------------------------------

void wire_stream::wait_readable() {
  if (!open_ || reading_ || paused_ || ended_)
    return;
  reading_ = true;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](boost::system::error_code failed) {
                       self->reading_ = false;
                       if (!failed && self->open_)
                         self->read_turn();
                     });
}

void wire_stream::read_turn() {
  in_turn_ = true;
  auto more = true;
  for (int i = 0; i < reads_per_turn && more; ++i)
    more = read_once();
  // Whoever was woken by these frames answers now, so that their answers leave together.
  loop_.run_ready();
  in_turn_ = false;
  flush();
  paused_ = is_held_back();
  wait_readable();
}

bool wire_stream::read_once() {
  if (!open_)
    return false;
  auto const room = decoder_.prepare(scratch_);
  auto const got = platform::read_some(socket_.native_handle(), std::as_writable_bytes(room));
  switch (got.status) {
  case platform::io_status::would_block:
    // What is held of a frame was moved to the scratch, and goes back.
    std::ignore = decoder_.commit(0, [](wire::raw_frame&) { return true; });
    return false;
  case platform::io_status::closed:
  case platform::io_status::failed:
    ended_ = true;
    if (decoder_.mid_frame())
      listener_->on_breach(*this, errc::frame_truncated);
    if (open_)
      listener_->on_end(*this);
    return false;
  case platform::io_status::descriptors:
    ended_ = true;
    listener_->on_breach(*this, errc::unexpected_descriptor);
    return false;
  case platform::io_status::done:
    break;
  }
  listener_->on_traffic(got.bytes, 0);
  std::optional<errc> broken;
  auto any_whole = false;
  auto frames = 0; // since the last piece left
  auto const framing = decoder_.commit(got.bytes, [&](wire::raw_frame& raw) {
    any_whole = true;
    wire::envelope frame;
    broken = scanner_.scan(raw.json, frame);
    auto const holds_secrets = broken || is_sensitive(frame.type);
    // Also what keeps the JSON's buffer until it was wiped.
    auto const attachment = raw.attachment ? std::optional{raw.take_attachment()} : std::nullopt;
    auto const more = !broken && listener_->on_frame(*this, frame, attachment);
    if (holds_secrets)
      wire::frame_decoder::wipe(raw.json);
    if (more && (++frames == frames_a_piece || pending_.size() >= bytes_a_piece)) {
      frames = 0;
      flush();
    }
    return more && open_;
  });
  if (!broken)
    broken = framing;
  if (!open_)
    return false;
  listener_->on_read_end(*this);
  if (broken && open_) {
    ended_ = true;
    listener_->on_breach(*this, *broken);
    return false;
  }
  watch_frame(any_whole);
  return open_ && got.bytes == room.size();
}

void wire_stream::watch_frame(bool is_new) {
  if (!open_ || !decoder_.mid_frame()) {
    if (std::exchange(frame_watched_, false))
      frame_timer_.cancel();
    return;
  }
  if (std::exchange(frame_watched_, true) && !is_new)
    return;
  frame_timer_.expires_after(frame_time_);
  frame_timer_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    auto const self = weak.lock();
    if (cancelled || !self || !self->open_ || self->ended_)
      return;
    self->ended_ = true;
    self->listener_->on_breach(*self, errc::frame_deadline);
  });
}

bool wire_stream::is_held_back() const noexcept {
  return std::min(unread_replies_, unsent()) > defaults::outbound_high_water;
}

void wire_stream::resume_reading() {
  if (!paused_ || is_held_back())
    return;
  paused_ = false;
  wait_readable();
}

// ---- writing ----------------------------------------------------------------------------------

void wire_stream::flush_soon() {
  if (in_turn_ || flush_posted_ || write_waiting_ || !open_)
    return;
  flush_posted_ = true;
  boost::asio::post(loop_.context(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void wire_stream::flush_replies_soon(std::size_t bytes) {
  unread_replies_ += bytes;
  flush_soon();
}

void wire_stream::flush() {
  while (open_ && !write_waiting_) {
    if (flying_.empty()) {
      if (pending_.empty()) {
        unread_replies_ = 0;
        listener_->on_sent(*this);
        return;
      }
      std::swap(flying_, pending_);
    }
    std::array<std::string_view, platform::max_pieces> pieces;
    auto const count = flying_.pieces(pieces);
    auto const sent = platform::write_some(socket_.native_handle(), std::span{pieces}.first(count));
    if (sent.status == platform::io_status::would_block)
      return wait_writable();
    if (sent.status != platform::io_status::done) {
      // The peer is gone; the reading side hears of it and says so.
      flying_.clear();
      pending_.clear();
      return;
    }
    listener_->on_traffic(0, sent.bytes);
    flying_.consume(sent.bytes);
  }
}

void wire_stream::wait_writable() {
  write_waiting_ = true;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                     [self = shared_from_this()](boost::system::error_code failed) {
                       self->write_waiting_ = false;
                       if (failed)
                         return;
                       self->flush();
                       self->resume_reading();
                     });
}

} // namespace bulkhead
