#pragma once

#include <bulkhead/platform/file_digest.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// Scripts by their paths in the extension, and the state of each file.
using script_states = std::map<std::string, file_identity>;

/// Of those that are there. `extension` is a folder, or the one script. Blocks; any thread.
script_states look_at_scripts(std::filesystem::path const& extension,
                              std::vector<std::string> const& names);

} // namespace bulkhead::platform
