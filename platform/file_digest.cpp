#include <bulkhead/platform/file_digest.hpp>

#include <bulkhead/platform/file_error.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace bulkhead::platform {
namespace {

/// Large enough that system calls cost nothing beside the hashing; small beside a host.
constexpr std::size_t piece_size = 256 * 1024;
constexpr auto settling_time = std::chrono::seconds{2};

std::int64_t nanoseconds(timespec const& time) noexcept {
  constexpr std::int64_t in_a_second = 1'000'000'000;
  return time.tv_sec * in_a_second + time.tv_nsec;
}

/// Gives every byte to `hash`, and an end at once where there are more than `size`.
result<std::uint64_t> read_all(int file, std::uint64_t size, sha256& hash, hashing const& how) {
  // One byte more than the file should have, so that a longer one is noticed.
  std::vector<char> piece(std::min<std::uint64_t>(piece_size, size + 1));
  std::uint64_t total = 0;
  while (total <= size) {
    if (how.stop.stop_requested())
      return error{errc::request_cancelled};
    auto const count = ::pread(file, piece.data(), piece.size(), static_cast<off_t>(total));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return file_error(errno);
    if (count == 0)
      break;
    auto const bytes = static_cast<std::size_t>(count);
    hash.update({piece.data(), bytes});
    total += bytes;
    if (how.progress)
      how.progress(bytes);
  }
  return total;
}

} // namespace

file_identity identity_of(struct stat const& seen) noexcept {
  return {seen.st_dev, seen.st_ino, static_cast<std::uint64_t>(seen.st_size),
          nanoseconds(seen.st_mtim), nanoseconds(seen.st_ctim)};
}

result<file_identity> identity_of(int file) {
  struct stat seen;
  if (::fstat(file, &seen) != 0)
    return file_error(errno);
  return identity_of(seen);
}

result<file_identity> identity_at(std::filesystem::path const& path) {
  struct stat seen;
  if (::stat(path.c_str(), &seen) != 0)
    return with_path(path.string(), file_error(errno));
  return identity_of(seen);
}

std::string to_text(file_identity const& identity) {
  std::string text;
  for (auto const number : {identity.device, identity.inode, identity.size})
    text += std::to_string(number) + ' ';
  for (auto const time : {identity.modified_ns, identity.changed_ns})
    text += std::to_string(time) + ' ';
  return text;
}

bool is_settled(file_identity const& identity, std::chrono::system_clock::time_point now) noexcept {
  auto const changed = std::chrono::nanoseconds{identity.changed_ns};
  return changed + settling_time < now.time_since_epoch();
}

digest_cache& digest_cache::of_process() {
  static digest_cache shared;
  return shared;
}

std::optional<sha256_digest> digest_cache::find(sha256_digest const& key) const {
  std::lock_guard const lock{mutex_};
  auto const found = known_.find(key);
  if (found == known_.end())
    return std::nullopt;
  ++hits_;
  return found->second;
}

void digest_cache::keep(sha256_digest const& key, sha256_digest const& digest) {
  std::lock_guard const lock{mutex_};
  if (known_.size() == capacity)
    known_.clear();
  known_.insert_or_assign(key, digest);
}

result<sha256_digest> read_digest(int file, file_identity const& expected, std::string_view path,
                                  hashing const& how) {
  sha256 hash;
  auto const bytes = read_all(file, expected.size, hash, how);
  if (!bytes)
    return with_path(path, bytes.error());
  auto const after = identity_of(file);
  if (!after)
    return with_path(path, after.error());
  if (*bytes != expected.size || *after != expected)
    return changed_while_hashed(path);
  return hash.finish();
}

result<sha256_digest> cached_digest(int file, file_identity const& expected, std::string_view path,
                                    hashing const& how) {
  auto const now = std::chrono::system_clock::now();
  auto const key = sha256{}.digest_of("file " + to_text(expected));
  if (how.cache)
    if (auto const known = how.cache->find(key))
      return *known;
  auto const digest = read_digest(file, expected, path, how);
  if (digest && how.cache && is_settled(expected, now))
    how.cache->keep(key, *digest);
  return digest;
}

error changed_while_hashed(std::string_view path) {
  return error{errc::integrity_mismatch, std::string{path} + " changed while it was hashed",
               "try again when nothing writes to it"};
}

error with_path(std::string_view path, error const& failed) {
  return error{failed.code(), std::string{path} + ": " + failed.detail(), failed.remedy()};
}

} // namespace bulkhead::platform
