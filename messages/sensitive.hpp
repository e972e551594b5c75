#pragma once

#include <span>
#include <string_view>

namespace bulkhead {

/// Whether messages of a type carry the values of secrets. Whoever holds the bytes of such a
/// message in ordinary memory overwrites them once they are used, so that no core file has them.
constexpr bool is_sensitive(std::string_view type) noexcept {
  return type.starts_with("secret");
}

/// Overwrites bytes in a way that the compiler does not leave out.
void wipe(std::span<char> bytes) noexcept;
void wipe(std::span<unsigned char> bytes) noexcept;

} // namespace bulkhead
