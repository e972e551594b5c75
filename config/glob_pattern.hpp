#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// How much a pattern may cost. Matching is linear in the path whatever the pattern; this bounds
/// the factor.
struct glob_limits {
  /// Of the pattern in bytes, with its braces written out: "{a,b}c" is "ac" and "bc".
  std::size_t bytes;
  /// For one compiled pattern, program and cached states, in bytes.
  std::int64_t memory;
};

/// For patterns that the policy's author wrote. The memory is that of hundreds of ordinary
/// patterns; what a program caches grows with the paths that it sees, up to this.
inline constexpr glob_limits policy_glob_limits{16 * 1024, 1 << 20};
/// For patterns that an extension sent. At worst one is decided in 3 ms on a path of 250 bytes and
/// in 60 ms on one of 4095: who searches many paths needs a deadline as well.
inline constexpr glob_limits untrusted_glob_limits{512, 256 << 10};

/// One alternative of a pattern, taken apart at its slashes. What `glob` and `path_rules` both
/// understand by a pattern is decided here once.
struct glob_alternative {
  struct name {
    enum class kind : std::uint8_t {
      literal,   ///< exactly `text`
      ends_with, ///< a star, then `text`
      any_depth, ///< "**": any number of names, also none
      other,     ///< only `regex` says
    };
    kind is = kind::literal;
    std::string text;
    std::string regex; ///< of this name alone; empty for any_depth
  };

  bool absolute = false; ///< begins with a slash
  std::vector<name> names;
};

/// Whether a text holds a character that means something in a pattern: * ? [ ] { } or a backslash.
bool has_glob_characters(std::string_view text) noexcept;

/// The pattern that matches exactly this text.
std::string escape_glob(std::string_view text);

/// A pattern's alternatives, without braces: "a/{b,c}" is "a/b" and "a/c". Fails with
/// policy_invalid_pattern, a sentence that quotes the pattern, and what to write instead.
result<std::vector<glob_alternative>> parse_glob(std::string_view pattern,
                                                 glob_limits const& limits = policy_glob_limits);

/// The regular expression for the alternative: over bytes, not anchored.
std::string regex_of(glob_alternative const& alternative);

} // namespace bulkhead
