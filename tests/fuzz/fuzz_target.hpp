#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

/// What the fuzz targets have in common. A target takes any bytes and checks what has to be true of
/// them; to show that something isn't, it aborts.
namespace bulkhead::fuzz {

inline void require(bool holds, char const* what) {
  if (!holds) {
    std::fprintf(stderr, "this does not hold: %s\n", what);
    std::abort();
  }
}

inline std::string_view text_of(unsigned char const* bytes, std::size_t size) {
  return {reinterpret_cast<char const*>(bytes), size};
}

/// Without their ends; the last may be empty.
inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (;;) {
    auto const end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return lines;
    text.remove_prefix(end + 1);
  }
}

/// C0 and DEL, which could steer the terminal that an error is shown on.
inline bool has_control_character(std::string_view text) {
  for (char const c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f')
      return true;
  }
  return false;
}

} // namespace bulkhead::fuzz
