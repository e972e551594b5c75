#include <bulkhead/messages/outbound_buffer.hpp>

#include <bulkhead/messages/sensitive.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace bulkhead::wire {
namespace {

// The first allocation: some dozens of small frames.
constexpr std::size_t smallest_capacity = 4096;

} // namespace

outbound_buffer& outbound_buffer::operator=(outbound_buffer&& other) noexcept {
  auto taken = std::move(other);
  swap(taken);
  return *this;
}

void outbound_buffer::append(std::string_view bytes) {
  if (bytes.empty())
    return;
  std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void outbound_buffer::attach(shared_bytes bytes) {
  if (bytes.size() <= copied_size)
    return append(bytes.view());
  attached_size_ += bytes.size();
  attached_.push_back({own_size() - placed_, std::move(bytes)});
  placed_ = own_size();
}

std::string_view outbound_buffer::view() const noexcept {
  std::string_view first;
  pieces({&first, 1});
  return first;
}

std::size_t outbound_buffer::pieces(std::span<std::string_view> into) const noexcept {
  std::size_t count = 0;
  auto const add = [&](std::string_view piece) {
    if (!piece.empty() && count < into.size())
      into[count++] = piece;
  };
  auto own = std::string_view{data(), own_size()};
  for (auto each = attached_.begin(); each != attached_.end() && count < into.size(); ++each) {
    add(own.substr(0, each->before));
    own.remove_prefix(each->before);
    add(each->bytes.view());
  }
  add(own);
  return count;
}

void outbound_buffer::consume(std::size_t n) noexcept {
  auto left = attached_.begin();
  for (; left != attached_.end() && n >= left->before; ++left) {
    n -= left->before;
    placed_ -= left->before;
    consume_own(std::exchange(left->before, 0));
    auto const part = std::min(n, left->bytes.size());
    left->bytes.remove_prefix(part);
    attached_size_ -= part;
    n -= part;
    if (!left->bytes.empty())
      break;
  }
  attached_.erase(attached_.begin(), left);
  if (!attached_.empty()) {
    attached_.front().before -= n;
    placed_ -= n;
  }
  consume_own(n);
}

void outbound_buffer::consume_own(std::size_t n) noexcept {
  if (sensitive_)
    wipe({storage_.get() + begin_, n});
  begin_ += n;
  if (begin_ != end_)
    return;
  begin_ = end_ = 0;
  sensitive_ = false;
  if (capacity_ > kept_capacity) {
    storage_.reset();
    capacity_ = 0;
  }
}

void outbound_buffer::swap(outbound_buffer& other) noexcept {
  std::swap(storage_, other.storage_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(sensitive_, other.sensitive_);
  attached_.swap(other.attached_);
  std::swap(attached_size_, other.attached_size_);
  std::swap(placed_, other.placed_);
}

// Moves the bytes to the front only where more were taken than are left, so that a byte is moved
// once on average.
void outbound_buffer::make_room(std::size_t n) {
  auto const live = own_size();
  if (begin_ >= live && capacity_ - live >= n) {
    if (live > 0)
      std::memcpy(storage_.get(), data(), live);
    if (sensitive_)
      wipe({storage_.get() + live, end_ - live});
  } else {
    auto const capacity = std::max({smallest_capacity, 2 * capacity_, live + n});
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (live > 0)
      std::memcpy(grown.get(), data(), live);
    if (sensitive_)
      wipe({storage_.get(), end_});
    storage_ = std::move(grown);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = live;
}

} // namespace bulkhead::wire
