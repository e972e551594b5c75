#include <bulkhead/config/character_set.hpp>

#include <bulkhead/messages/frame_scanner.hpp>

#include <algorithm>

namespace bulkhead::character_set {
namespace {

constexpr char32_t last_character = 0x10FFFF;

std::vector<range> complement(std::vector<range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](range a, range b) { return a.low < b.low; });
  std::vector<range> others;
  char32_t next = 0;
  for (auto const [low, high] : ranges) {
    if (low > next)
      others.push_back({next, low - 1});
    next = std::max<char32_t>(next, high + 1);
  }
  if (next <= last_character)
    others.push_back({next, last_character});
  return others;
}

std::string byte_escape(char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  auto const value = static_cast<unsigned char>(byte);
  return {'\\', 'x', digits[value >> 4], digits[value & 0xF]};
}

/// Appends a regex alternative for each run of sequences that differ in whole ranges of bytes
/// only (the splitting that RE2 itself does for UTF-8: re2/compile.cc, AddRuneRangeUTF8).
void append_range(std::string& regex, char32_t low, char32_t high) {
  auto const split = [&](char32_t last) {
    append_range(regex, low, last);
    append_range(regex, last + 1, high);
  };
  for (char32_t const longest : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (low <= longest && longest < high)
      return split(longest);
  }
  for (char32_t const tail : {0x3Fu, 0xFFFu, 0x3FFFFu}) {
    if (high < 0x80 || (low & ~tail) == (high & ~tail))
      continue;
    if ((low & tail) != 0)
      return split(low | tail);
    if ((high & tail) != tail)
      return split((high & ~tail) - 1);
  }
  auto const first = encode(low);
  auto const last = encode(high);
  regex += regex.empty() ? "" : "|";
  for (std::size_t i = 0; i < first.size(); ++i)
    regex += '[' + byte_escape(first[i]) + '-' + byte_escape(last[i]) + ']';
}

} // namespace

std::size_t length(std::string_view text) noexcept {
  return static_cast<unsigned char>(text.front()) < 0x80 ? 1 : wire::utf8_length(text);
}

char32_t decode(std::string_view character) noexcept {
  auto const lead = static_cast<unsigned char>(character.front());
  if (character.size() == 1)
    return lead;
  auto code = static_cast<char32_t>(lead & (0x7Fu >> character.size()));
  for (char const c : character.substr(1))
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  return code;
}

std::string encode(char32_t code) {
  auto const tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80)
    return {static_cast<char>(code)};
  if (code < 0x800)
    return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000)
    return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

std::string regex_of(std::vector<range> ranges) {
  return regex_of_others(complement(std::move(ranges)));
}

std::string regex_of_others(std::vector<range> ranges) {
  constexpr char32_t first_beyond_ascii = 0x80;
  ranges.push_back({'/', '/'});
  std::string regex;
  for (auto const [low, high] : complement(std::move(ranges))) {
    bool const all_beyond_ascii = low <= first_beyond_ascii && high == last_character;
    if (low < first_beyond_ascii || !all_beyond_ascii)
      append_range(regex, low, all_beyond_ascii ? first_beyond_ascii - 1 : high);
    if (all_beyond_ascii) {
      // No character and no other set goes on with what this may leave of one.
      regex += regex.empty() ? "" : "|";
      regex += R"([\xc0-\xff][\x80-\xbf]*)";
    }
  }
  return "(?:" + regex + ')';
}

} // namespace bulkhead::character_set
