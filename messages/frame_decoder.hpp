#pragma once

#include <bulkhead/messages/errc.hpp>

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

  /// Takes the first `n` bytes of the span that prepare() returned. Calls
  /// `on_frame(std::string_view body)` for every frame that is whole now, in order; the view ends
  /// with the call. Where `on_frame` returns false, the rest is dropped and nothing of the decoder
  /// is touched any more: it may destroy the decoder.
  ///
  /// Returns frame_empty or frame_too_large as soon as a prefix says so, and from then on for every
  /// call.
  template <class F>
  [[nodiscard]] std::optional<errc> commit(std::size_t n, F&& on_frame) {
    if (failure_)
      return failure_;
    return reads_own_buffer_ ? commit_to_own_buffer(n, on_frame) : commit_to_scratch(n, on_frame);
  }

  /// Overwrites a body that on_frame was given, before it returns.
  static void wipe(std::string_view body) noexcept;

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
      auto const body = left.substr(frame_prefix_size, body_size(left));
      left.remove_prefix(frame_prefix_size + body.size());
      if (!on_frame(body)) {
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
    auto const frame = std::exchange(buffer_, nullptr);
    held_ = capacity_ = 0;
    if (!on_frame(all.substr(frame_prefix_size)))
      return std::nullopt;
    return std::nullopt;
  }

  /// Sets failure_ where the prefix is there and wrong.
  bool has_whole_frame(std::string_view bytes) noexcept;
  static std::size_t body_size(std::string_view frame) noexcept;
  static std::size_t known_size(std::string_view unfinished) noexcept;
  void hold(std::string_view unfinished);
  void release() noexcept;
  void grow(std::size_t capacity);

  std::size_t frame_limit_;
  std::unique_ptr<char[]> buffer_; // the unfinished frame with its prefix
  std::size_t capacity_ = 0;
  std::size_t held_ = 0;
  char* scratch_ = nullptr;
  bool reads_own_buffer_ = false;
  std::optional<errc> failure_;
};

} // namespace bulkhead::wire
