#pragma once

#include <bulkhead/messages/errc.hpp>
#include <bulkhead/messages/shared_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace bulkhead::wire {

/// Bytes of the big-endian length that a frame begins with.
inline constexpr std::size_t frame_prefix_size = 4;
/// The longest frame that the protocol knows, without its prefix. A policy can only lower it.
inline constexpr std::size_t max_frame_size = std::size_t{50} << 20;
/// Of the length that a frame begins with: the body is the length of its JSON (as many bytes as the
/// prefix), the JSON, and an attachment.
inline constexpr std::size_t attachment_bit = std::size_t{1} << 31;

/// One frame, as it was cut out of the stream. Its views end with the call that it is handed to.
struct raw_frame {
  std::string_view json;
  /// What is behind it, which may be no bytes; nothing where the frame has no attachment.
  std::optional<std::string_view> attachment{};
  /// What both lie in, where the frame has a buffer of its own.
  std::unique_ptr<char[]> buffer{};

  /// The attachment, for longer than the call: without a copy where the frame has its own buffer.
  /// Only where there is one, and once.
  shared_bytes take_attachment();
};

/// Cuts a stream of bytes into frames: however the bytes were split, the frames are the same. A
/// frame that lies whole in what was read is handed on as a view; only an unfinished one is kept,
/// in at most twice the memory of the bytes that came, whatever its prefix announces. No copy of an
/// unfinished frame is left behind; a whole one's is its receiver's to wipe().
///
/// The owner reads into prepare()'s span and calls commit() before anything else is read into the
/// same scratch, so one scratch buffer serves all connections of a thread.
class frame_decoder {
public:
  /// Frames longer than `frame_limit` (1 to max_frame_size bytes, else the nearest of them) are
  /// refused.
  explicit frame_decoder(std::size_t frame_limit) noexcept;
  ~frame_decoder() { release(); }

  /// Where the next bytes are to be read to; never empty. It is `scratch` (not empty) while little
  /// is held, and the unfinished frame's own buffer once that has grown, which ends where the frame
  /// does.
  [[nodiscard]] std::span<char> prepare(std::span<char> scratch);

  /// From the next frame on the peer may send attachments; before, a length with the
  /// attachment_bit is one above the limit. Also from inside on_frame.
  void allow_attachments() noexcept { length_bits_ = attachment_bit - 1; }

  /// Takes the first `n` bytes of the span that prepare() returned. Calls `on_frame(raw_frame&)`
  /// for every frame that is whole now, in order. Where `on_frame` returns false, the rest is
  /// dropped and nothing of the decoder is touched any more: it may destroy the decoder.
  ///
  /// Returns frame_empty, frame_too_large or attachment_invalid as soon as the lengths that came
  /// say so, and from then on for every call.
  template <class F>
  [[nodiscard]] std::optional<errc> commit(std::size_t n, F&& on_frame) {
    if (failure_)
      return failure_;
    return reads_own_buffer_ ? commit_to_own_buffer(n, on_frame) : commit_to_scratch(n, on_frame);
  }

  /// Overwrites what on_frame was given, before it returns.
  static void wipe(std::string_view bytes) noexcept;

  /// Whether a frame was begun: an end of the stream now is frame_truncated.
  bool mid_frame() const noexcept { return held_ != 0; }
  /// Memory held for an unfinished frame; 0 when there is none.
  std::size_t held_bytes() const noexcept { return capacity_; }

private:
  template <class F>
  std::optional<errc> commit_to_scratch(std::size_t n, F& on_frame) {
    // What is held has a copy at the start of the scratch.
    auto left = std::string_view{scratch_, std::exchange(held_, 0) + n};
    while (has_whole_frame(left)) {
      auto frame = cut(left);
      left.remove_prefix(known_size(left));
      if (!on_frame(frame)) {
        wipe(left);
        return std::nullopt;
      }
    }
    hold(left);
    return failure_;
  }

  template <class F>
  std::optional<errc> commit_to_own_buffer(std::size_t n, F& on_frame) {
    held_ += n;
    auto const all = std::string_view{buffer_.get(), held_};
    if (!has_whole_frame(all)) {
      if (failure_)
        release();
      return failure_;
    }
    auto frame = cut(all);
    frame.buffer = std::exchange(buffer_, nullptr);
    held_ = capacity_ = 0;
    on_frame(frame);
    return std::nullopt;
  }

  /// Sets failure_ where a length is there and wrong.
  bool has_whole_frame(std::string_view bytes) noexcept;
  /// The frame that `bytes` begin with; it is whole.
  raw_frame cut(std::string_view bytes) const noexcept {
    auto const body = bytes.substr(frame_prefix_size, body_size(bytes));
    return is_attached(bytes) ? cut_attachment(body) : raw_frame{body};
  }
  static raw_frame cut_attachment(std::string_view body) noexcept;
  /// The number at the start of at least so many bytes as a prefix has.
  static std::size_t read_length(std::string_view bytes) noexcept {
    std::size_t length = 0;
    for (std::size_t i = 0; i < frame_prefix_size; ++i)
      length = length << 8 | static_cast<unsigned char>(bytes[i]);
    return length;
  }
  bool is_attached(std::string_view frame) const noexcept {
    return (read_length(frame) & ~length_bits_) != 0;
  }
  std::size_t body_size(std::string_view frame) const noexcept {
    return read_length(frame) & length_bits_;
  }
  /// Whether the JSON's length in a body of `size` bytes can be what came of it, if anything did.
  static bool may_hold_json(std::string_view came, std::size_t size) noexcept;
  std::size_t known_size(std::string_view unfinished) const noexcept;
  void hold(std::string_view unfinished);
  void release() noexcept;
  void grow(std::size_t capacity);

  std::size_t frame_limit_;
  std::size_t length_bits_ = ~std::size_t{0}; // of a prefix, those that are the body's length
  std::unique_ptr<char[]> buffer_;            // the unfinished frame with its prefix
  std::size_t capacity_ = 0;
  std::size_t held_ = 0;
  char* scratch_ = nullptr;
  bool reads_own_buffer_ = false;
  std::optional<errc> failure_;
};

} // namespace bulkhead::wire
