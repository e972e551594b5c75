#pragma once

#include <bulkhead/messages/audit_record.hpp>
#include <bulkhead/platform/sha256.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// Reads a log line by line in constant memory.
class audit_line_reader {
public:
  struct line {
    std::string_view text; ///< without its end; valid until the next call
    bool is_whole;         ///< false where the end is missing, or further than a record is long
  };

  /// Reads what stands from `from` up to `to`, in bytes from the file's start.
  audit_line_reader(int file, std::uint64_t from, std::uint64_t to);

  /// Nothing at the end, and where the file can't be read.
  std::optional<line> next();
  /// Why the file could not be read; 0 where it could.
  int failure() const noexcept { return failure_; }
  /// Where the line begins that comes next.
  std::uint64_t offset() const noexcept { return offset_; }
  /// The line that comes next, without going on to it.
  std::optional<line> peek();

private:
  void fill();

  int file_;
  std::uint64_t offset_;
  std::uint64_t read_to_; ///< how far the buffer goes
  std::uint64_t to_;
  int failure_ = 0;
  std::size_t at_ = 0; ///< where in the buffer the next line begins
  std::size_t filled_ = 0;
  std::string buffer_;
};

/// The last line of what stands before `end`, without its own end; nothing where no whole line ends
/// there.
std::optional<std::string> audit_line_before(int file, std::uint64_t end);

/// Whether the line's hash is that of its bytes.
bool has_right_hash(audit_line const& line, sha256& hasher);

} // namespace bulkhead::platform
