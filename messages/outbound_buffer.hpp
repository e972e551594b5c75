#pragma once

#include <bulkhead/messages/shared_bytes.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace bulkhead::wire {

/// Bytes on their way out: appended at the end, taken from the front, and grown without filling
/// memory with zeros. What is attached keeps its place among them without being copied. An empty
/// buffer holds at most `kept_capacity` bytes of memory.
class outbound_buffer {
public:
  /// What an empty buffer keeps: a burst of some hundred small frames fits, and so needs no
  /// allocation.
  static constexpr std::size_t kept_capacity = 64 * 1024;
  /// What is attached is copied up to this size: that costs less than a piece of its own.
  static constexpr std::size_t copied_size = 4096;

  outbound_buffer() noexcept = default;
  outbound_buffer(outbound_buffer&& other) noexcept { swap(other); }
  outbound_buffer& operator=(outbound_buffer&& other) noexcept;
  ~outbound_buffer() { clear(); }

  /// All bytes, with those that are attached.
  std::size_t size() const noexcept { return own_size() + attached_size_; }
  bool empty() const noexcept { return size() == 0; }
  /// Memory of its own, without what is attached.
  std::size_t capacity() const noexcept { return capacity_; }
  /// The bytes that lie in one piece at the front: all, where nothing is attached.
  std::string_view view() const noexcept;
  /// The pieces at the front, in their order, as far as there is room for them. Returns how many
  /// there are: none where it is empty.
  std::size_t pieces(std::span<std::string_view> into) const noexcept;

  /// Room for `n` bytes behind the last one; what is written there counts after `commit`.
  char* reserve(std::size_t n) {
    if (capacity_ - end_ < n)
      make_room(n);
    return storage_.get() + end_;
  }
  void commit(std::size_t n) noexcept { end_ += n; }
  void append(std::string_view bytes);
  /// Appends bytes that are not copied, unless they are few.
  void attach(shared_bytes bytes);
  /// What is appended from now on holds the values of secrets: all bytes are overwritten when they
  /// are not needed any more, until the buffer has been empty.
  void expect_secrets() noexcept { sensitive_ = true; }

  /// Drops the first `n` bytes, at most size(): they were sent.
  void consume(std::size_t n) noexcept;
  void clear() noexcept { consume(size()); }

  void swap(outbound_buffer& other) noexcept;

private:
  struct attached {
    std::size_t before; // bytes of our own between the one attached before and this one
    shared_bytes bytes;
  };

  char const* data() const noexcept { return storage_.get() + begin_; }
  std::size_t own_size() const noexcept { return end_ - begin_; }
  void consume_own(std::size_t n) noexcept;
  void make_room(std::size_t n);

  std::unique_ptr<char[]> storage_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool sensitive_ = false;
  std::vector<attached> attached_;
  std::size_t attached_size_ = 0; // of what is left of them
  std::size_t placed_ = 0;        // bytes of our own before the last of them
};

} // namespace bulkhead::wire
