#pragma once

#include <bulkhead/messages/errc.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

enum class audit_outcome : std::uint8_t {
  allowed,
  denied,
  failed, ///< allowed, and then it could not be done
  noted, ///< a fact about the log itself; only the log writes it, so that no text can pretend to be
         ///< one
};

/// "allowed", "denied", "failed" or "noted".
std::string_view to_string(audit_outcome outcome) noexcept;

/// One entry of the audit log: who did what to which object, and the rule that decided. Its texts
/// may hold any bytes, also an extension's; they never hold the value of a secret.
struct audit_record {
  std::chrono::system_clock::time_point time;
  std::string host;   ///< the policy's id of the host, or "runtime"
  std::string what;   ///< the type of the message, or the event: "policy.updated", "host.started"
  std::string object; ///< the path, key or permission that was asked for
  std::string rule;   ///< the rule that decided with its line in the policy, or the permission
  audit_outcome outcome = audit_outcome::allowed;
  errc code{};             ///< why not; none where it was allowed
  std::uint64_t count = 1; ///< how often, where a flood of the same was made one record
};

/// Of each text of a record, in bytes; what is longer is cut off there, between two characters, and
/// ends in ` … (12345 bytes more)`. A path has 4096 bytes at most, and the first quarter says
/// where it lies.
inline constexpr std::size_t max_audit_text = 1024;

/// Of a line with its end: four texts of which each byte takes six as an escape, and the rest.
inline constexpr std::size_t max_audit_line = 4 * 6 * max_audit_text + 1024;

/// A SHA-256 in lower-case hexadecimal digits.
inline constexpr std::size_t audit_hash_size = 64;

/// How far a chain of records has come: the number and the hash of its last one. The first record
/// is number 1 and follows 64 zeros.
struct audit_position {
  std::uint64_t seq = 0;
  std::string hash = std::string(audit_hash_size, '0');

  friend bool operator==(audit_position const&, audit_position const&) = default;
};

/// Adds the record that follows `last`, as one line of JSON in ASCII and UTF-8 with its members in
/// a fixed order, up to and without `,"hash"`: what the hash is taken of. What is not valid UTF-8
/// appears as the text `\xNN`; control characters, bidirectional controls and line separators are
/// JSON escapes, so that a terminal shows the line as it is.
void append_audit_body(std::string& out, audit_record const& record, audit_position const& last);

/// Adds the rest of the line, with its end.
void append_audit_hash(std::string& out, std::string_view hash);

/// A line of a log, taken apart; valid as long as the line is. Texts are as they were written, with
/// their escapes.
struct audit_line {
  std::uint64_t seq = 0;
  std::string_view body; ///< what the hash must be of
  std::string_view hash;
  std::string_view previous_hash;
  std::string_view time; ///< RFC 3339, UTC, with microseconds
  std::string_view what;
  std::string_view object;
  std::string_view outcome;

  bool is_note(std::string_view about) const noexcept {
    return outcome == to_string(audit_outcome::noted) && what == about;
  }
};

/// Takes a line apart, given without its end; nothing where it is not of the form that is written
/// above. Does not look whether the hash is right.
std::optional<audit_line> read_audit_line(std::string_view line) noexcept;

/// RFC 3339, UTC, with microseconds: 2026-03-01T12:00:00.000250Z.
std::string audit_time(std::chrono::system_clock::time_point time);

} // namespace bulkhead
