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

void outbound_buffer::consume(std::size_t n) noexcept {
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
}

// Moves the bytes to the front only where more were taken than are left, so that a byte is moved
// once on average.
void outbound_buffer::make_room(std::size_t n) {
  auto const live = size();
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
