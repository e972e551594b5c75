#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace bulkhead {

/// Bytes that nobody changes any more, kept by whoever has a copy of this: a copy copies none of
/// them. Any thread.
class shared_bytes {
public:
  shared_bytes() noexcept = default;
  /// `bytes` lie in what `owner` holds.
  shared_bytes(std::shared_ptr<char[]> owner, std::string_view bytes) noexcept
      : owner_{std::move(owner)}
      , bytes_{bytes} {}
  static shared_bytes copy_of(std::string_view bytes);

  std::string_view view() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  /// Leaves out the first `n` bytes, at most size().
  void remove_prefix(std::size_t n) noexcept { bytes_.remove_prefix(n); }

private:
  std::shared_ptr<char[]> owner_;
  std::string_view bytes_;
};

} // namespace bulkhead
