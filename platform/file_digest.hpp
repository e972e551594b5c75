#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/sha256.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

struct stat;

namespace bulkhead::platform {

/// What tells one state of a file from another without reading it. Nobody can set `changed_ns` (the
/// inode's ctime) but by setting the machine's clock, so equal identities mean equal content, as
/// far as the clock's ticks can tell two changes apart: see is_settled.
struct file_identity {
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t size;       ///< bytes
  std::int64_t modified_ns; ///< since the epoch of the system clock
  std::int64_t changed_ns;  ///< since the epoch of the system clock

  friend bool operator==(file_identity const&, file_identity const&) = default;
};

file_identity identity_of(struct stat const& seen) noexcept;
/// Fails with file_unavailable.
result<file_identity> identity_of(int file);
/// Of what a path leads to, symbolic links followed. Fails with file_not_found or file_unavailable.
result<file_identity> identity_at(std::filesystem::path const& path);

/// For what is compared or hashed as a whole: all numbers, with a blank behind each.
std::string to_text(file_identity const& identity);

/// Whether the last change is so long before `now` that one more would have got another time: only
/// then does the identity stand for the content. ("Racily clean" is Git's name for what has not;
/// the file systems with the coarsest clock, FAT and ext3, count in seconds.)
bool is_settled(file_identity const& identity, std::chrono::system_clock::time_point now) noexcept;

/// Digests that were computed, by a key that stands for the identities of all that was read.
/// Thread-safe.
class digest_cache {
public:
  /// The one that all of a process share, as a program or an extension often serves many hosts.
  static digest_cache& of_process();

  std::optional<sha256_digest> find(sha256_digest const& key) const;
  void keep(sha256_digest const& key, sha256_digest const& digest);
  /// How often find() found something.
  std::uint64_t hits() const noexcept { return hits_; }

private:
  /// 64 KiB; far more than the programs and extensions of one backend. Beyond it all is forgotten.
  static constexpr std::size_t capacity = 1024;

  mutable std::mutex mutex_;
  std::map<sha256_digest, sha256_digest> known_;
  mutable std::atomic<std::uint64_t> hits_ = 0;
};

/// How something is hashed.
struct hashing {
  /// Ends the work with request_cancelled.
  std::stop_token stop{};
  /// Gets the number of bytes of each piece that was read, a few hundred KiB.
  std::function<void(std::uint64_t bytes)> progress{};
  /// None: everything is read.
  digest_cache* cache = &digest_cache::of_process();
  /// False, where there is nothing to compare it with: nothing is read, and the digest is zeros.
  bool wanted = true;
};

/// The content of an open regular file, of which `expected` is the identity; the descriptor's
/// position stays. `path` is for messages. Nothing is taken from a cache. Fails with
/// - integrity_mismatch: the file's identity is or becomes another while it is read;
/// - request_cancelled, file_unavailable.
result<sha256_digest> read_digest(int file, file_identity const& expected, std::string_view path,
                                  hashing const& how);

/// The same from the cache, or kept there.
result<sha256_digest> cached_digest(int file, file_identity const& expected, std::string_view path,
                                    hashing const& how);

/// That something was written to while it was hashed: integrity_mismatch.
error changed_while_hashed(std::string_view path);

/// A failure with the path before its own words.
error with_path(std::string_view path, error const& failed);

} // namespace bulkhead::platform
