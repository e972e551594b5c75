#pragma once

#include <bulkhead/actors/file_requests.hpp>

namespace bulkhead {

/// Serves workspace-find-files: lists what lies in the workspace, whatever the read rules say, but
/// nothing that is denied. Blocks, for ten seconds at the most where the disk answers; any thread.
result<file_answer> find_files(file_request const& asked);

} // namespace bulkhead
