#pragma once

#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/loop_timer.hpp>
#include <bulkhead/config/defaults.hpp>
#include <bulkhead/messages/errc.hpp>
#include <bulkhead/messages/frame_decoder.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/outbound_buffer.hpp>
#include <bulkhead/messages/shared_bytes.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace bulkhead {

/// One socket that carries native frames, in both directions: what was read in one turn of the loop
/// is handed over frame by frame, and what was written during the turn leaves in one write, or in
/// pieces where it answers many frames. Loop thread; hold it by shared_ptr and close() it to let it
/// go.
///
/// This is the seam for other wire formats: host_link speaks to it in envelopes and byte buffers
/// only.
class wire_stream : public std::enable_shared_from_this<wire_stream> {
public:
  /// Who hears what a stream reads. After close() it hears nothing more.
  class listener {
  public:
    /// One strictly checked frame; valid until it returns. `attachment` is what came beside it, if
    /// anything did, and may be kept. False: the stream was closed meanwhile.
    virtual bool on_frame(wire_stream& from, wire::envelope const& frame,
                          std::optional<shared_bytes> attachment) = 0;
    /// All frames of one read were handed over.
    virtual void on_read_end(wire_stream& from) = 0;
    /// A frame, or the bytes that should be one, broke the protocol. The stream reads no further.
    virtual void on_breach(wire_stream& from, errc what) = 0;
    /// The peer closed its side, or the socket broke. The stream reads no further.
    virtual void on_end(wire_stream& from) = 0;
    /// The peer read some of what it had left unread.
    virtual void on_sent(wire_stream&) {}
    /// So many bytes came from the kernel, or went to it.
    virtual void on_traffic(std::size_t /*in*/, std::size_t /*out*/) {}

  protected:
    ~listener() = default;
  };

  /// `socket` is a connected, non-blocking stream socket. `scratch` is the loop's read buffer,
  /// shared by all streams. A frame that was begun is whole within `frame_time`, or it is a breach.
  wire_stream(loop& on, platform::unique_fd socket, std::size_t frame_limit,
              std::span<char> scratch, listener& who,
              std::chrono::milliseconds frame_time = defaults::frame_time);

  /// Begins to read.
  void start();
  /// From the next frame on the peer may send attachments, which are a breach before.
  void allow_attachments() noexcept { decoder_.allow_attachments(); }

  /// Where frames to send are appended; call flush_soon() afterwards.
  wire::outbound_buffer& outbound() noexcept { return pending_; }
  /// Sends what was appended: at the end of the present turn of the loop.
  void flush_soon();
  /// The same where the last `bytes` are replies. A peer that leaves too many of them unread is not
  /// read from either, until it has caught up: that bounds what its own requests can make us hold.
  /// Our requests don't count: a host that answers one thing at a time reads the next only after we
  /// have read its answer.
  void flush_replies_soon(std::size_t bytes);
  /// Bytes appended and not yet taken by the kernel.
  std::size_t unsent() const noexcept { return pending_.size() + flying_.size(); }

  /// Lets go of the socket; nothing is sent or heard any more. May be called from inside a
  /// listener's function.
  void close() noexcept;
  bool is_open() const noexcept { return open_; }

private:
  void wait_readable();
  void read_turn();
  /// One read and its frames; false when there is nothing more to do this turn.
  bool read_once();
  /// Sees to it that the frame which is under way is whole in time. `is_new`: none before it was.
  void watch_frame(bool is_new);
  void flush();
  void wait_writable();
  bool is_held_back() const noexcept;
  void resume_reading();

  loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
  loop_timer frame_timer_;
  std::chrono::milliseconds frame_time_;
  bool frame_watched_ = false;
  wire::frame_decoder decoder_;
  wire::frame_scanner scanner_;
  wire::outbound_buffer pending_; // appended to
  wire::outbound_buffer flying_;  // being written
  std::span<char> scratch_;
  listener* listener_;
  std::size_t unread_replies_ =
      0; // bytes of replies since all was taken last; at least what is unsent of them
  bool open_ = true;
  bool reading_ = false; // a wait for bytes is under way
  bool paused_ = false;  // the peer does not read our replies: we don't read either
  bool ended_ = false;   // there is nothing more to read
  bool in_turn_ = false; // a read turn flushes at its end
  bool flush_posted_ = false;
  bool write_waiting_ = false;
};

} // namespace bulkhead
