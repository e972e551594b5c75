#pragma once

#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <filesystem>

namespace bulkhead::bench {

/// The Node side of Bulkhead with one extension, without Bulkhead: what the bare clients talk to.
struct node_host {
  platform::child_process process;
  platform::unique_fd socket; ///< ours; does not block
};

/// Starts `node folder/node/bootstrap.js folder/extension`. Throws bulkhead::error.
node_host start_node_host(std::filesystem::path const& folder);

} // namespace bulkhead::bench
