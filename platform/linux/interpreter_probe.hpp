#pragma once

#include <bulkhead/platform/machine_report.hpp>

#include <string_view>

namespace bulkhead::platform {

/// Whether there is a Node.js in the search path that hosts can run by: its owner is safe, its
/// libraries are found, and it runs with the flags of a host and is not too old. One that others
/// can write to is not executed.
mechanism probe_node(std::string_view search_path);

} // namespace bulkhead::platform
