#pragma once

#include <bulkhead/messages/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace bulkhead::platform {

/// The PATH of this process; the usual system folders where it has none. Not safe while another
/// thread changes the environment.
std::string environment_search_path();

/// The Node.js of this machine: the first `node`, or else the first `nodejs`, in a search path of
/// the form of PATH. The result is absolute and an executable file. Folders that are not absolute
/// are passed over, so that the working directory never decides what runs. Fails with
/// interpreter_missing.
result<std::filesystem::path> find_node(std::string_view search_path);

/// Where a system keeps parts of its Node that others build into it, and without which it does not
/// begin: Debian's and Ubuntu's folder. Empty where there is none.
std::filesystem::path node_parts_folder();

/// What the first word of a command means: with a slash in it a path, relative to `base_dir`, else
/// a name that is looked up in the search path as find_node() does. The result is an executable
/// file, absolute where `base_dir` is. Fails with spawn_failed.
result<std::filesystem::path> resolve_program(std::string_view name,
                                              std::filesystem::path const& base_dir,
                                              std::string_view search_path);

} // namespace bulkhead::platform
