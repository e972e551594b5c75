#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace bulkhead {

/// The candidate that `written` is most likely a slip of: at most one edit (insert, delete,
/// replace, swap neighbours) for every three characters, and never more than three; the first of
/// equals. Nothing where none is that near.
std::optional<std::string_view> nearest(std::string_view written,
                                        std::span<std::string_view const> candidates);

} // namespace bulkhead
