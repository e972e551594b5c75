#pragma once

#include <bulkhead/config/glob_pattern.hpp>
#include <bulkhead/messages/error.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace bulkhead {

/// A pattern for canonical paths (request_path.hpp), matched by RE2 in linear time. Immutable: may
/// be used by any number of threads at once.
///
/// `*` any characters of one name, also none and also a leading dot; `?` one character; `[a-z]`,
/// `[!a-z]` one of those, one of the others; `**` as a whole name any number of names, also none,
/// so that "a/**" matches "a" too; `{a,b}` either, up to 8 deep; a backslash takes the meaning off
/// the pattern character behind it. No wildcard but `**` matches a slash. A character is one of
/// UTF-8; a byte of a path that is not UTF-8 is a character of its own, which only a wildcard
/// matches.
class glob {
public:
  /// As parse_glob; also policy_invalid_pattern if the limits' memory does not do.
  static result<glob> parse(std::string_view pattern,
                            glob_limits const& limits = policy_glob_limits);

  glob(glob&&) noexcept;
  glob& operator=(glob&&) noexcept;
  ~glob();

  /// Of the whole path. Never undecided: where RE2's automaton outgrows its memory, RE2 goes on
  /// without one, more slowly.
  bool matches(std::string_view path) const noexcept;

private:
  explicit glob(std::unique_ptr<re2::RE2 const> program) noexcept;

  std::unique_ptr<re2::RE2 const> program_;
};

/// Many patterns at once, in microseconds: one program decides for a whole chunk of them. Immutable
/// as `glob` is.
class glob_list {
public:
  /// No patterns: nothing matches.
  glob_list() noexcept;
  /// Fails with policy_invalid_pattern if the limits' memory, which is each program's, does not do.
  static result<glob_list> compile(std::span<glob_alternative const> patterns,
                                   glob_limits const& limits = policy_glob_limits);

  glob_list(glob_list&&) noexcept;
  glob_list& operator=(glob_list&&) noexcept;
  ~glob_list();

  bool empty() const noexcept { return chunks_.empty(); }
  /// The lowest index of a pattern that matches the whole path.
  std::optional<std::size_t> first_match(std::string_view path) const noexcept;
  bool any_match(std::string_view path) const noexcept;

private:
  struct chunk;

  std::vector<chunk> chunks_;
};

} // namespace bulkhead
