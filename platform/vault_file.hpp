#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// Largest vault file, in bytes: 16 scopes filled to their limit.
inline constexpr std::size_t max_vault_size = 64 * 1024 * 1024;

/// A write takes milliseconds, so whoever holds the lock longer than this is stopped or hangs.
inline constexpr auto default_vault_patience = std::chrono::milliseconds{10'000};

/// The file of a vault on the disk, whatever its bytes: read as a whole, and replaced as a whole or
/// not at all. A process that is killed and a machine that loses its power leave the old bytes or
/// the new ones, and at most one unfinished `FILE.new`, which the next write removes.
///
/// The file must be a regular one of this user's, closed to all others, in a folder that no other
/// user can write; else vault_unusable with what to do about it. Where the system refuses,
/// secrets_unavailable. No error names a path. Thread-safe; blocks.
class vault_file {
public:
  explicit vault_file(std::filesystem::path const& path,
                      std::chrono::milliseconds patience = default_vault_patience);

  /// Nothing where there is no file.
  result<std::optional<std::vector<unsigned char>>> read() const;

  /// Keeps other threads and processes from `lock` until the descriptor is closed; a process that
  /// ends lets go as well. Waits no longer than the patience for another to finish, then fails with
  /// secrets_unavailable. Creates `FILE.lock`, which stays.
  result<unique_fd> lock() const;

  /// The caller holds the lock. When this returns, the new bytes are on the disk.
  result<void> replace(std::span<unsigned char const> content) const;

private:
  result<unique_fd> open_folder() const;

  std::filesystem::path folder_;
  std::string name_;
  std::chrono::milliseconds patience_;
};

} // namespace bulkhead::platform
