#include <bulkhead/messages/traceparent.hpp>

#include <algorithm>

namespace bulkhead {
namespace {

bool is_hexadecimal(std::string_view text) noexcept {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) noexcept {
  return is_hexadecimal(text) && text.find_first_not_of('0') != std::string_view::npos;
}

} // namespace

bool is_traceparent(std::string_view text) noexcept {
  if (text.size() != traceparent_size || text[2] != '-' || text[35] != '-' || text[52] != '-')
    return false;
  auto const version = text.substr(0, 2);
  return is_hexadecimal(version) && version != "ff" && is_id(text.substr(3, 32)) &&
         is_id(text.substr(36, 16)) && is_hexadecimal(text.substr(53));
}

} // namespace bulkhead
