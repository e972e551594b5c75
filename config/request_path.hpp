#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace bulkhead {

/// The longest path that Linux takes, in bytes: PATH_MAX without its final zero.
inline constexpr std::size_t longest_path = 4095;

/// Absolute and lexically normal: no ".", "..", "//", no slash at the end but the root's own, no
/// control character, at most `longest_path` bytes. What the path rules decide about.
bool is_canonical_path(std::string_view path) noexcept;

/// The canonical path for what an extension named. A plain path is taken as it stands, never
/// decoded ("%2e%2e" is a name), and relative to `relative_to`, which is canonical, unless it is
/// absolute. What begins with "file:" (in any case) is a URI: its authority empty or "localhost",
/// its path absolute, decoded exactly once before "." and ".." are resolved; a query, a fragment
/// and an encoded slash are refused.
///
/// Lexical only: ".." takes away the name before it even if that is a symbolic link. Fails with
/// invalid_payload, for what is refused above, an empty text, a control character (NUL, newline),
/// more than `longest_path` bytes before or after, and a ".." that climbs above the root. The
/// sentence holds nothing of either path.
result<std::string> canonical_path(std::string_view asked, std::string_view relative_to);

} // namespace bulkhead
