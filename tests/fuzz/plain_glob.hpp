#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What a pattern means, said once more and in the plainest way: one character after the other,
/// without regular expressions. To compare with; slow, and for patterns that bulkhead accepted.
namespace bulkhead::fuzz {

/// A path or a pattern between its slashes.
struct split_path {
  bool absolute = false;
  std::vector<std::string> names;
};

split_path split(std::string_view path);

/// The pattern with its braces written out.
std::vector<std::string> without_braces(std::string_view pattern);

/// Of a pattern without braces.
bool matches(std::string_view pattern, std::string_view path);

/// What stands before the first name with a wildcard, "**" at the end not counted; "/" for nothing.
std::string literal_root(std::string_view pattern);

/// Whether the pattern is a path, but for "**" at its end.
bool is_plain(std::string_view pattern);

/// Whether the path is the folder or below it.
bool is_beneath(std::string_view folder, std::string_view path);

} // namespace bulkhead::fuzz
