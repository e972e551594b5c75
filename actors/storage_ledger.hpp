#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// Counts what a host keeps in the folders that `limits.storage` bounds. One writer at a time holds
/// the lock, so that two writes can't both take the last free byte. Blocks; any thread.
class storage_ledger {
public:
  /// Counts nothing yet.
  explicit storage_ledger(std::vector<std::filesystem::path> folders)
      : folders_{std::move(folders)} {}

  /// Whether a path without symbolic links lies in one of the folders, wherever these really are.
  /// Not while the lock is held.
  bool holds(std::string_view real_path);

  std::unique_lock<std::mutex> lock() { return std::unique_lock{mutex_}; }

  // The lock is held for all of these.

  /// Bytes that may still be written with this limit; counts the folders where need be.
  result<std::uint64_t> room(std::uint64_t limit);
  /// A file that had `before` bytes has `after`.
  void replace(std::uint64_t before, std::uint64_t after) noexcept;
  /// Something else happened there: count anew before the next write.
  void forget() noexcept { used_.reset(); }

private:
  std::vector<std::filesystem::path> folders_;
  std::mutex mutex_;
  std::vector<std::string> real_folders_; // empty until they are first asked for
  std::optional<std::uint64_t> used_;
};

/// Why nothing more can be written there.
inline error storage_full() {
  return error{errc::limit_exceeded, "limits.storage would be exceeded"};
}

} // namespace bulkhead
