#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bulkhead {

/// A string member of a JSON object, found without building the object: what is decided about a
/// request mostly needs one path of it. `object` is text that a wire::frame_scanner has accepted;
/// nothing where it is no object, lacks the member, or the member is no string. The result is the
/// only copy that is made of the text.
std::optional<std::string> string_member(std::string_view object, std::string_view name);

/// The same without a copy: the result lies in `object`, or in `unescaped` where it has escapes.
std::optional<std::string_view> string_member(std::string_view object, std::string_view name,
                                              std::string& unescaped);

} // namespace bulkhead
