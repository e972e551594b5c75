#pragma once

#include <string>
#include <string_view>

namespace bulkhead {

/// The text in double quotes for a message: control characters, quotes and backslashes escaped (so
/// that nothing a file holds can steer a terminal), and cut off after 80 bytes.
std::string quote(std::string_view text);

} // namespace bulkhead
