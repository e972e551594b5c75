#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// Of the scripts that a host names: as platform/node/code_cache.js has them.
inline constexpr std::size_t most_scripts = 1024;
inline constexpr std::size_t longest_script_name = 512; ///< bytes of UTF-8 are counted thrice
/// Bytes of an answer to activate-extension that is read.
inline constexpr std::size_t longest_script_report = std::size_t{4} << 20;

/// What a host says of its scripts once its extension is active. It is the extension's own word.
struct script_report {
  std::uint32_t used = 0;          ///< that were there compiled
  std::vector<std::string> loaded; ///< others that it loaded, by their paths in the extension
};

/// Whether a name leads to something in the extension, as far as can be told from the name.
bool is_script_name(std::string_view name) noexcept;

/// Of the answer to activate-extension, which is JSON. What does not belong there is left out.
script_report read_script_report(std::string_view answer);

} // namespace bulkhead
