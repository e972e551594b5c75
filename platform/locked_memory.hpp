#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace bulkhead::platform {

/// Bytes that should be nowhere but in this process's memory: pages of their own that are kept out
/// of the swap and of core files, and that are overwritten before they are given back. Whole pages,
/// so one costs at least 4 KiB; meant for a few at a time. Not thread-safe, but may be passed
/// between threads.
///
/// The kernel keeps no more pages out of the swap than RLIMIT_MEMLOCK allows (8 MiB on Debian 12).
/// Past that the bytes are held all the same, and `is_locked` says so: refusing work because memory
/// could be swapped would let one extension's large secret take away another's small one. All else
/// that is promised here holds without it. A forked child gets a copy as it does of all memory.
class secret_bytes {
public:
  secret_bytes() noexcept = default;
  /// `size` zeros, to be written to. Throws std::bad_alloc where the kernel gives no pages.
  explicit secret_bytes(std::size_t size);
  /// A copy; overwriting the original is its owner's part. Throws std::bad_alloc.
  explicit secret_bytes(std::string_view original);
  secret_bytes(secret_bytes&& other) noexcept;
  secret_bytes& operator=(secret_bytes&& other) noexcept;
  ~secret_bytes();

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Whether the kernel promised to keep them out of the swap; true of none at all.
  bool is_locked() const noexcept { return is_locked_; }

  /// Valid until this is moved from, assigned to or destroyed.
  std::string_view view() const noexcept;
  std::span<unsigned char> bytes() noexcept { return {first_, size_}; }
  std::span<unsigned char const> bytes() const noexcept { return {first_, size_}; }

private:
  void release() noexcept;

  unsigned char* first_ = nullptr;
  std::size_t size_ = 0;
  bool is_locked_ = true;
};

} // namespace bulkhead::platform
