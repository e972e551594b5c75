#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// RFC 4648, section 4, with padding: how bytes that are no text travel in JSON.
std::string to_base64(std::string_view bytes);

/// The inverse; nothing where the text is not exactly what to_base64 could have written.
std::optional<std::string> from_base64(std::string_view text);

} // namespace bulkhead
