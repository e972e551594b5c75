#pragma once

#include <cstddef>
#include <string_view>

namespace bulkhead {

/// The length of a W3C traceparent (Trace Context, version 00):
/// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.
inline constexpr std::size_t traceparent_size = 55;

/// Whether the text is one: version, trace id, parent id and flags in lower-case hexadecimal, the
/// ids not zero, the version not ff.
bool is_traceparent(std::string_view text) noexcept;

} // namespace bulkhead
