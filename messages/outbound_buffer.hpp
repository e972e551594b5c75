#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace bulkhead::wire {

/// Bytes on their way out: appended at the end, taken from the front, and grown without filling
/// memory with zeros. An empty buffer holds at most `kept_capacity` bytes of memory.
class outbound_buffer {
public:
  /// What an empty buffer keeps: a burst of some hundred small frames fits, and so needs no
  /// allocation.
  static constexpr std::size_t kept_capacity = 64 * 1024;

  outbound_buffer() noexcept = default;
  outbound_buffer(outbound_buffer&& other) noexcept { swap(other); }
  outbound_buffer& operator=(outbound_buffer&& other) noexcept;
  ~outbound_buffer() { clear(); }

  char const* data() const noexcept { return storage_.get() + begin_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::string_view view() const noexcept { return {data(), size()}; }

  /// Room for `n` bytes behind the last one; what is written there counts after `commit`.
  char* reserve(std::size_t n) {
    if (capacity_ - end_ < n)
      make_room(n);
    return storage_.get() + end_;
  }
  void commit(std::size_t n) noexcept { end_ += n; }
  void append(std::string_view bytes);
  /// What is appended from now on holds the values of secrets: all bytes are overwritten when they
  /// are not needed any more, until the buffer has been empty.
  void expect_secrets() noexcept { sensitive_ = true; }

  /// Drops the first `n` bytes, at most size(): they were sent.
  void consume(std::size_t n) noexcept;
  void clear() noexcept { consume(size()); }

  void swap(outbound_buffer& other) noexcept;

private:
  void make_room(std::size_t n);

  std::unique_ptr<char[]> storage_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool sensitive_ = false;
};

} // namespace bulkhead::wire
