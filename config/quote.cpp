#include <bulkhead/config/quote.hpp>

namespace bulkhead {
namespace {

/// As much as fits on a terminal's line together with the sentence around it.
constexpr std::size_t longest_shown = 80;

bool continues_a_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}

std::string escaped(char c) {
  constexpr char digits[] = "0123456789abcdef";
  auto const byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\')
    return {'\\', c};
  if (byte < 0x20 || byte == 0x7F)
    return {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 0xF]};
  return {c};
}

} // namespace

std::string quote(std::string_view text) {
  bool const cut = text.size() > longest_shown;
  if (cut) {
    std::size_t end = longest_shown;
    while (end > 0 && continues_a_character(text[end]))
      --end;
    text = text.substr(0, end);
  }
  std::string shown = "\"";
  for (char const c : text)
    shown += escaped(c);
  return shown += cut ? "...\"" : "\"";
}

} // namespace bulkhead
