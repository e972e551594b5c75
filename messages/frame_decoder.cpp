#include <bulkhead/messages/frame_decoder.hpp>

#include <bulkhead/messages/sensitive.hpp>

#include <algorithm>
#include <cstring>

namespace bulkhead::wire {
namespace {

// Up to so many held bytes are copied back to the scratch before each read, so that the many small
// frames behind them still come with one read. Past it, copying would cost more than the read
// saves.
constexpr std::size_t carried_bytes = 4096;

// The smallest buffer worth asking for.
constexpr std::size_t smallest_buffer = 256;
static_assert(smallest_buffer >= frame_prefix_size);

} // namespace

shared_bytes raw_frame::take_attachment() {
  if (!buffer)
    return shared_bytes::copy_of(*attachment);
  return {std::shared_ptr<char[]>{std::move(buffer)}, *attachment};
}

frame_decoder::frame_decoder(std::size_t frame_limit) noexcept
    : frame_limit_{std::clamp<std::size_t>(frame_limit, 1, max_frame_size)} {}

std::span<char> frame_decoder::prepare(std::span<char> scratch) {
  reads_own_buffer_ = held_ > carried_bytes || (held_ > 0 && scratch.size() < 2 * carried_bytes);
  if (!reads_own_buffer_) {
    if (held_ > 0)
      std::memcpy(scratch.data(), buffer_.get(), held_);
    bulkhead::wipe({buffer_.get(), held_});
    scratch_ = scratch.data();
    return scratch.subspan(held_);
  }
  auto const whole = known_size({buffer_.get(), held_});
  if (held_ == capacity_)
    grow(std::min(whole, 2 * held_));
  return {buffer_.get() + held_, std::min(whole, capacity_) - held_};
}

// How long an unfinished frame is with its prefix, as far as that is known: the prefix comes first.
std::size_t frame_decoder::known_size(std::string_view unfinished) const noexcept {
  return frame_prefix_size + (unfinished.size() < frame_prefix_size ? 0 : body_size(unfinished));
}

bool frame_decoder::has_whole_frame(std::string_view bytes) noexcept {
  if (bytes.size() < frame_prefix_size)
    return false;
  auto const size = body_size(bytes);
  if (size == 0)
    failure_ = errc::frame_empty;
  else if (size > frame_limit_)
    failure_ = errc::frame_too_large;
  else if (is_attached(bytes) && !may_hold_json(bytes.substr(frame_prefix_size), size))
    failure_ = errc::attachment_invalid;
  return !failure_ && bytes.size() - frame_prefix_size >= size;
}

bool frame_decoder::may_hold_json(std::string_view came, std::size_t size) noexcept {
  if (size <= frame_prefix_size)
    return false;
  if (came.size() < frame_prefix_size)
    return true;
  auto const json_size = read_length(came);
  return json_size != 0 && json_size <= size - frame_prefix_size;
}

raw_frame frame_decoder::cut_attachment(std::string_view body) noexcept {
  auto const json_size = read_length(body);
  body.remove_prefix(frame_prefix_size);
  return {body.substr(0, json_size), body.substr(json_size)};
}

void frame_decoder::hold(std::string_view unfinished) {
  auto const size = unfinished.size();
  if (size == 0 || failure_) {
    release();
  } else {
    if (capacity_ < size)
      grow(size > carried_bytes ? std::min(known_size(unfinished), 2 * size)
                                : std::max(size, smallest_buffer));
    std::memcpy(buffer_.get(), unfinished.data(), size);
    held_ = size;
  }
  wipe(unfinished);
}

// The frame's bytes are the scratch's or the own buffer's, which are not const.
void frame_decoder::wipe(std::string_view bytes) noexcept {
  bulkhead::wipe({const_cast<char*>(bytes.data()), bytes.size()});
}

void frame_decoder::release() noexcept {
  bulkhead::wipe({buffer_.get(), held_});
  buffer_.reset();
  capacity_ = held_ = 0;
}

// Not zero-filled. Keeps what is held.
void frame_decoder::grow(std::size_t capacity) {
  auto grown = std::make_unique_for_overwrite<char[]>(capacity);
  if (held_ > 0)
    std::memcpy(grown.get(), buffer_.get(), held_);
  bulkhead::wipe({buffer_.get(), held_});
  buffer_ = std::move(grown);
  capacity_ = capacity;
}

} // namespace bulkhead::wire
