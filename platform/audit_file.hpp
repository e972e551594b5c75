#pragma once

#include <bulkhead/messages/audit_record.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/audit_anchor.hpp>
#include <bulkhead/platform/sha256.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// The audit log on disk: JSON lines, each with the SHA-256 of itself and of the one before, so
/// that audit_verify finds what was changed afterwards. What append returned success for survives a
/// loss of power; a record is written whole or not at all, and what a crash tore is never dropped
/// in silence. Blocks on the disk; to be used by one thread at a time.
///
/// What it stops and what it does not: whoever changes, removes, adds or reorders records, or cuts
/// the log's end off, is found, as long as he can't write both the log and `PATH.head`, which says
/// how far the log goes. Somebody who can write both, as root and this process's own user can, may
/// compute a whole new chain; against him only a copy helps that he can't reach, and the last hash
/// alone is enough of one.
///
/// Any number of processes may write to one log.
class audit_file {
public:
  struct options {
    std::filesystem::path path; ///< in a folder that exists
    /// In bytes: a file that has reached this size is put aside before the next group is written,
    /// so that it is longer by one group at most.
    std::uint64_t rotate_at = 0;
    unsigned keep = 1; ///< how many files that were put aside are kept; 1 to 500
    /// How long a call waits for other processes that write to the log.
    std::chrono::milliseconds lock_patience = audit_lock_patience;
  };

  /// Opens the log, or creates it for its owner only (0600). Its first record says that it was
  /// opened. What a crash tore at its end is cut off, and a record says how many bytes that were,
  /// and their SHA-256.
  ///
  /// Fails with audit_file_unusable where it can't be opened or is not this user's alone, with
  /// audit_broken where records are gone or changed that were written (nothing is appended to
  /// hide it), and with audit_unavailable where it can't be written now.
  static result<audit_file> open(options given);

  /// Writes all of these records or, on failure, none of them, with one write and one sync. Fails
  /// with audit_unavailable, and then works again once its cause is gone; or with audit_broken
  /// where somebody changed the log meanwhile. No detail names a path.
  result<void> append(std::span<audit_record const> records);

  /// The last record, as of the last call.
  audit_position const& last() const noexcept { return last_; }

private:
  audit_file(options given, audit_place place, audit_anchor_file head)
      : options_{std::move(given)}
      , folder_{std::move(place.folder)}
      , name_{std::move(place.name)}
      , head_{std::move(head)} {}

  result<void> begin();

  // All of these are to be called with the lock held.
  result<void> load();
  result<void> load_current(audit_anchor const& anchor);
  result<audit_anchor> known_anchor(bool is_new);
  result<audit_position> last_of_put_aside(audit_anchor const& anchor) const;
  result<void> take_intact_records(std::uint64_t size);
  result<void> replace_torn_end(std::uint64_t size);
  result<void> create_current();
  bool is_current() const;
  result<void> write_group(std::span<audit_record const> records);
  result<void> advance_anchor(audit_position const& last, std::uint64_t size);
  result<void> rotate();
  result<void> drop_oldest();
  std::string put_aside_name(unsigned number) const;
  bool is_put_aside(unsigned number) const;
  void chain(std::string& out, audit_record const& record, audit_position& last);

  options options_;
  unique_fd folder_;
  std::string name_;
  audit_anchor_file head_;
  unique_fd file_;
  sha256 hasher_;
  audit_position last_;
  std::uint64_t size_ = 0;          ///< of the current file, up to and with its last record
  std::uint64_t generation_ = 0;    ///< of the anchor
  std::vector<audit_record> notes_; ///< of the log itself, to be written before the next record
  bool is_loaded_ = false;
};

} // namespace bulkhead::platform
