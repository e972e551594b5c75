#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Characters of UTF-8 as regular expressions over bytes: a program that reads bytes stays small
/// where a pattern is stars, which one that reads UTF-8 does not. Internal to config.
namespace bulkhead::character_set {

struct range {
  char32_t low;
  char32_t high; ///< belongs to it; not below low
};

/// In bytes, of the character that the text, which is not empty, begins with; 0 where it is none.
std::size_t length(std::string_view text) noexcept;

/// Of one whole character, which is valid UTF-8.
char32_t decode(std::string_view character) noexcept;

/// Surrogates as well, for those who use them for something else.
std::string encode(char32_t code);

/// For one character of these ranges, in a group; a slash is in none.
std::string regex_of(std::vector<range> ranges);

/// For one of all other characters, surrogates among them; a slash is not.
std::string regex_of_others(std::vector<range> ranges);

} // namespace bulkhead::character_set
