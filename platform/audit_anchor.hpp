#pragma once

#include <bulkhead/messages/audit_record.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace bulkhead::platform {

/// A group takes milliseconds: whoever holds the lock for this long is stopped, not busy.
inline constexpr auto audit_lock_patience = std::chrono::milliseconds{5000};

/// How far an audit log was written when it was last flushed.
struct audit_anchor {
  audit_position last;          ///< the last record
  std::uint64_t size = 0;       ///< of the file up to and with it, in bytes
  std::uint64_t generation = 0; ///< how often there was an anchor before this one

  friend bool operator==(audit_anchor const&, audit_anchor const&) = default;
};

/// The file beside an audit log that holds its anchor, and the lock of the log with all its files:
/// it is never renamed. A write replaces the older of two anchors, so that one that is torn leaves
/// the other. It is not synced: what a loss of power can undo is the progress of the anchor, by
/// what the kernel holds back (some 30 seconds), and the log is then ahead of it.
class audit_anchor_file {
public:
  /// `log` is the log's plain name in its folder.
  static std::string name_of(std::string const& log) { return log + ".head"; }

  /// Opens it for writing, and creates it where it is missing. It must be a regular file of this
  /// user that others can't use; else audit_file_unusable.
  static result<audit_anchor_file> open(int folder, std::string const& log);
  /// Opens it for reading; nothing where there is none.
  static result<std::optional<audit_anchor_file>> open_to_read(int folder, std::string const& log);

  /// Waits for the lock, alone or shared with those who only read. Fails with audit_unavailable.
  result<void> lock(std::chrono::milliseconds patience, bool shared = false);
  void unlock() noexcept;

  /// The newest; nothing where there is none that is whole.
  std::optional<audit_anchor> read() const;
  /// Replaces the older one. Fails with audit_unavailable.
  result<void> write(audit_anchor const& next);

private:
  explicit audit_anchor_file(unique_fd file) noexcept
      : file_{std::move(file)} {}

  unique_fd file_;
};

/// Holds the lock for a scope.
class audit_lock {
public:
  explicit audit_lock(audit_anchor_file& file) noexcept
      : file_{file} {}
  audit_lock(audit_lock const&) = delete;
  audit_lock& operator=(audit_lock const&) = delete;
  ~audit_lock() { file_.unlock(); }

private:
  audit_anchor_file& file_;
};

/// Opens a file of the log that must be a regular one of this user, and closed to others. Nothing
/// where it is missing and `flags` don't create it; else audit_file_unusable.
result<std::optional<unique_fd>> open_audit_file(int folder, std::string const& name, int flags);

/// The folder of a file, open, and the file's plain name. Fails with audit_file_unusable.
struct audit_place {
  unique_fd folder;
  std::string name;
};
result<audit_place> find_audit_file(std::filesystem::path const& path);

} // namespace bulkhead::platform
