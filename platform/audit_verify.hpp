#pragma once

#include <bulkhead/messages/error.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// What is wrong with an audit log.
enum class audit_flaw : std::uint8_t {
  edited,         ///< a record is not what was written
  removed,        ///< records are missing between two others, or at the log's start
  reordered,      ///< a record stands behind one that follows it
  duplicated,     ///< a record stands there twice
  inserted,       ///< a record that was not written stands between two that were
  truncated,      ///< the log ends before its anchor
  torn,           ///< the last line has no end
  not_json,       ///< a line is not JSON
  unknown_format, ///< a line is of a format that this version does not know
  no_anchor,      ///< the .head file is missing or damaged: whether the end is there can't be told
};

/// "edited", "removed" and so on.
std::string_view to_string(audit_flaw flaw) noexcept;

/// The first thing that is wrong with a log.
struct audit_finding {
  audit_flaw flaw;
  std::string file;       ///< which of the log's files
  std::uint64_t line = 0; ///< counted from 1 in that file; 0 where it is not about a line
  std::string text;       ///< what is wrong, as a sentence's end

  /// Of code audit_broken: `FILE:LINE: edited: …`, with what to do about it.
  error as_error() const;
};

/// What is known of a log, up to the finding where there is one.
struct audit_report {
  std::uint64_t records = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string first_time; ///< RFC 3339, UTC
  std::string last_time;
  std::size_t files = 0;
  /// Records behind the anchor: written, and the process ended before it could say so. No flaw.
  std::uint64_t ahead_of_anchor = 0;
  /// How often a torn end was replaced by a record of that: crashes, so far as nobody made them.
  std::uint64_t recoveries = 0;
  std::optional<audit_finding> finding;
};

/// Called with the number of records so far.
using audit_progress = std::function<void(std::uint64_t records)>;

/// Nobody asks what takes less.
inline constexpr auto audit_progress_after = std::chrono::seconds{2};

/// Reads a log from its oldest file to the end and checks each record against the one before, and
/// the end against the anchor; see audit_file for what that proves. In constant memory, however
/// long the log is; records that are appended meanwhile are not looked at, and their writers wait
/// only until the files are open. Calls `progress` once a second, the first time after `quiet`.
///
/// Fails with audit_file_unusable where the log is missing or can't be read, and with
/// audit_unavailable where its lock is held for five seconds. May be called by any thread.
result<audit_report> verify_audit(std::filesystem::path const& path,
                                  audit_progress const& progress = {},
                                  std::chrono::steady_clock::duration quiet = audit_progress_after);

} // namespace bulkhead::platform
